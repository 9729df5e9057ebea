"""Mutual evaluations (振り返り): what each side filed of result and method, and when both were revealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from domain.dates import bounds
from domain.partnership.evaluation import EvaluationFiled
from domain.partnership.state import Partnership
from projections.read_model import Column, ReadModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.history import History
    from domain.partnership.parts import Evaluation, Filing
    from projections.read_model import Key, Parts


def _filings(history: History) -> Parts:
    stream = history.recorded[0].stream
    return {
        (stream, known.number, filing.side.value): (known, filing)
        for known in history.state.evaluations
        for filing in known.filings
    }


def _source(history: History) -> Any:
    return history.state.evaluations


def _row(_: Key, part: tuple[Evaluation, Filing], history: History) -> tuple[Any, ...]:
    known, filing = part
    period, filed = bounds(known.period or "XXXX"), bounds(filing.filed)
    return (
        known.period,
        period.earliest,
        period.latest,
        known.opened,
        filing.filed,
        filed.earliest,
        filed.latest,
        _position(history, known.number, filing.side),
        filing.by,
        filing.principle_set,
        filing.lowest,
        filing.highest,
        to_json([{"item": item, "score": score} for item, score in filing.scores]).decode(),
        known.shared,
        known.shared_on,
        known.discussed,
        known.renewals,
        filing.result,
        filing.method,
        list(filing.next_actions),
    )


def _position(history: History, number: int, side: str) -> int:
    """The position of the first filing of that side, which is the one that counts."""
    return next(
        entry.position
        for entry in history.entries
        if isinstance(entry.event, EvaluationFiled) and (entry.event.evaluation, entry.event.side) == (number, side)
    )


def _scores(row: dict[str, Any], texts: Mapping[str, str]) -> tuple[str]:
    given = [(each["item"], texts.get(each["score"])) for each in from_json(row["scores"])]
    return (to_json([{"item": item, "score": int(score) if score else None} for item, score in given]).decode(),)


EVALUATIONS = ReadModel(
    name="evaluation",
    description="Evaluations: one row for each side of each mutual evaluation. What a side filed stays closed until"
    " the evaluations are revealed together.",
    state=Partnership,
    key=(
        Column("partnership_id", "uuid", "The partnership."),
        Column("evaluation", "integer", "The number of the evaluation in its partnership, from 1."),
        Column("side", "text", "PARTNER, CITY or CITIZEN."),
    ),
    parts=_filings,
    source=_source,
    row=_row,
    columns=(
        Column("period", "text", "The period that is evaluated (EDTF); NULL is not stated."),
        Column("period_earliest", "date", "The first day of that period; NULL is unbounded."),
        Column("period_latest", "date", "The last day of that period; NULL is unbounded."),
        Column("opened", "text", "When the evaluation was opened, or first filed (EDTF).", required=True),
        Column("filed", "text", "When this side filed (EDTF)."),
        Column("filed_earliest", "date", "The first day on which that may have been; NULL is unbounded."),
        Column("filed_latest", "date", "The last day on which that may have been; NULL is unbounded."),
        Column("filed_position", "bigint", "The position of that in the city's log.", required=True),
        Column("party", "text", "The party id of who filed; NULL is not stated."),
        Column("principle_set", "text", "The set of principles or items, so that only like is compared with like."),
        Column("lowest", "integer", "The lowest score of its scale; NULL is not stated."),
        Column("highest", "integer", "The highest score of its scale; NULL is not stated."),
        Column("scores", "json", "The items with the digests of their scores."),
        Column("revealed", "boolean", "Whether the sides' evaluations were revealed to each other.", required=True),
        Column("revealed_on", "text", "When that was (EDTF)."),
        Column("discussed", "boolean", "Whether the sides talked over what they filed.", required=True),
        Column(
            "renewals", "integer", "In which term of the agreement it falls: after so many renewals.", required=True
        ),
        Column("result", "text", "What this side says of the result.", text=True),
        Column("method", "text", "What this side says of how they worked together.", text=True),
        Column("next_actions", "text[]", "What this side wants to do next.", text=True, required=True),
    ),
    derive=_scores,
    derived=(
        Column(
            "clear_scores", "json", "The items with their scores; null while a score cannot be read.", required=True
        ),
    ),
)
