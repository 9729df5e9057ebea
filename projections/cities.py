"""Cities with their sources, and programmes with the rules in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from domain.city import City
from domain.programme import Programme
from projections.read_model import Column, ReadModel, opened

if TYPE_CHECKING:
    from domain.history import History
    from projections.read_model import Key, Parts


def _whole(history: History) -> Parts:
    return {(history.recorded[0].stream,): history.state}


def _state(history: History) -> Any:
    return history.state


def _city_row(_: Key, state: City, __: History) -> tuple[Any, ...]:
    sources = [source.model_dump(mode="json", exclude_none=True) for source in state.sources]
    return (
        state.slug,
        state.municipal_code,
        state.population,
        state.compiled,
        _json(sources),
        state.name_ja,
        state.name_en,
    )


def _json(value: Any) -> str:
    return to_json(value).decode()


CITIES = ReadModel(
    name="city",
    description="Cities: one row each, from the city's own stream.",
    state=City,
    key=(Column("city_id", "uuid", "The city's own stream."),),
    parts=_whole,
    source=_state,
    row=_city_row,
    columns=(
        Column("slug", "text", "The city's name in paths."),
        Column("municipal_code", "text", "全国地方公共団体コード, six digits."),
        Column("population", "bigint", "Population as last stated."),
        Column("compiled", "boolean", "Whether the record was compiled from publications and is not the city's own."),
        Column("sources", "jsonb", "The publications that facts were taken from, texts as digests."),
        Column("name_ja", "text", "Name in Japanese.", text=True),
        Column("name_en", "text", "Name in English.", text=True),
    ),
    derive=opened("sources"),
    derived=(Column("texts", "jsonb", "Digest → text of the public texts in sources."),),
)


def _programme_row(_: Key, state: Programme, __: History) -> tuple[Any, ...]:
    latest = state.versions[-1] if state.versions else None
    rules = latest.rules.model_dump(mode="json", exclude_none=True) if latest else {}
    return (
        state.programme,
        latest.number if latest else 0,
        latest.effective if latest else None,
        rules.get("standing"),
        _json(rules),
        state.title_ja,
        state.title_en,
    )


PROGRAMMES = ReadModel(
    name="programme",
    description="Programmes: one row each, with the latest version of its rules.",
    state=Programme,
    key=(Column("programme_id", "uuid", "The programme's stream."),),
    parts=_whole,
    source=_state,
    row=_programme_row,
    columns=(
        Column("slug", "text", "The programme's name in paths."),
        Column("version", "integer", "The number of its latest version."),
        Column("effective", "text", "From when that version holds (EDTF)."),
        Column("standing", "text", "IN_FORCE, or REFERENCE for a programme of another body."),
        Column("rules", "jsonb", "The rule set, texts as digests."),
        Column("title_ja", "text", "Title in Japanese.", text=True),
        Column("title_en", "text", "Title in English.", text=True),
    ),
    derive=opened("rules"),
    derived=(Column("texts", "jsonb", "Digest → text of the public texts in rules."),),
)
