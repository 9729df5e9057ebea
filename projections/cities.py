"""Cities with their sources, and programmes with the rules in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from domain.city import City, SourceRegistered
from domain.dates import bounds
from domain.programme import Programme
from domain.rules import Rules
from projections.clear import part_in_clear
from projections.read_model import Column, ReadModel

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def _clear_sources(row: dict[str, Any], texts: Mapping[str, str]) -> tuple[str]:
    sources = from_json(part_in_clear(SourceRegistered, row["sources"], texts))
    return (_json([source | {"earliest": bounds(source["date"]).earliest} for source in sources]),)


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
        Column("sources", "json", "The publications that facts were taken from, texts as digests."),
        Column("name_ja", "text", "Name in Japanese.", text=True),
        Column("name_en", "text", "Name in English.", text=True),
    ),
    derive=_clear_sources,
    derived=(
        Column(
            "clear_sources",
            "json",
            "The publications, texts in their place and null where not public; with the first day of each date.",
        ),
    ),
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


def _clear_rules(row: dict[str, Any], texts: Mapping[str, str]) -> tuple[str]:
    return (part_in_clear(Rules, row["rules"], texts),)


PROGRAMMES = ReadModel(
    name="programme",
    description="Programmes: one row each, with the latest version of its rules.",
    state=Programme,
    key=(Column("programme_id", "uuid", "The programme's stream."),),
    parts=_whole,
    source=_state,
    row=_programme_row,
    columns=(
        Column("slug", "text", "The programme's name in paths.", required=True),
        Column("version", "integer", "The number of its latest version.", required=True),
        Column("effective", "text", "From when that version holds (EDTF)."),
        Column("standing", "text", "IN_FORCE, or REFERENCE for a programme of another body."),
        Column("rules", "json", "The rule set, texts as digests."),
        Column("title_ja", "text", "Title in Japanese.", text=True),
        Column("title_en", "text", "Title in English.", text=True),
    ),
    derive=_clear_rules,
    derived=(
        Column("clear_rules", "json", "The rule set, texts in their place and null where not public.", required=True),
    ),
)
