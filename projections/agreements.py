"""Agreements: what the parties put in writing, how long it holds, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from domain.dates import bounds
from domain.partnership.agreement import AgreementConcluded
from domain.partnership.parts import Agreement, Clause
from domain.partnership.state import Partnership
from domain.rules import Form
from domain.vocabulary import ENDED
from projections.clear import part_in_clear
from projections.read_model import Column, ReadModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

    from domain.history import History
    from projections.read_model import Key, Parts


def _agreements(history: History) -> Parts:
    state: Partnership = history.state
    stream, over = history.recorded[0].stream, state.status in ENDED
    return {
        # With its partnership an agreement ends too, though nobody ended it by itself.
        (stream, known.number): known.model_copy(update={"ended": state.status, "ended_on": state.ended})
        if over and known.ended is None
        else known
        for known in state.agreements
    }


def _source(history: History) -> Any:
    # Until its partnership is over, an agreement depends on nothing else.
    return history.state if history.state.status in ENDED else history.state.agreements


def _row(key: Key, known: Agreement, history: History) -> tuple[Any, ...]:
    began, ended, last_days = bounds(known.began), bounds(known.ended_on or "XXXX"), known.last_days or (None, None)
    concluded = [entry for entry in history.entries if isinstance(entry.event, AgreementConcluded)][key[1] - 1]
    return (
        known.instrument,
        list(known.forms),
        _json(known.local_forms),
        list(known.parties),
        list(concluded.meta.signatories),
        known.began,
        began.earliest,
        began.latest,
        concluded.position,
        concluded.meta.programme,
        concluded.meta.programme_version,
        list(known.terms),
        *last_days,
        known.auto_renewal,
        known.renewals,
        known.amendments,
        known.selection_ground,
        known.document_sha256,
        _json(known.clauses),
        known.ended.value if known.ended else None,
        known.ended_on,
        ended.earliest,
        ended.latest,
        known.ended_by.value if known.ended_by else None,
        known.instrument_local,
        known.about,
        list(known.basis),
        concluded.meta.document_ref,
        known.ground,
    )


def _json(parts: Iterable[BaseModel]) -> str:
    return to_json([part.model_dump(mode="json", exclude_none=True) for part in parts]).decode()


def _clear(row: dict[str, Any], texts: Mapping[str, str]) -> tuple[str, str]:
    return part_in_clear(Form, row["local_forms"], texts), part_in_clear(Clause, row["clauses"], texts)


AGREEMENTS = ReadModel(
    name="agreement",
    description="Agreements: one row for each agreement of a partnership.",
    state=Partnership,
    key=(
        Column("partnership_id", "uuid", "The partnership."),
        Column("number", "integer", "Its number among the partnership's agreements, from 1."),
    ),
    parts=_agreements,
    source=_source,
    row=_row,
    columns=(
        Column("instrument", "text", "The kind of document, as a code: 協定書, 協働契約, 包括連携協定 and so on."),
        Column("forms", "text[]", "Common codes of its forms of collaboration.", required=True),
        Column("local_forms", "json", "The city's own forms with the common codes behind each, texts as digests."),
        Column("parties", "text[]", "Party ids of those who agree."),
        Column("signatories", "text[]", "Party ids of those who signed, as far as recorded."),
        Column("began", "text", "When it was concluded (EDTF)."),
        Column("began_earliest", "date", "The first day on which that may have been; NULL is unbounded."),
        Column("began_latest", "date", "The last day on which that may have been; NULL is unbounded."),
        Column("concluded_position", "bigint", "The position of its conclusion in the city's log.", required=True),
        Column("programme", "text", "The programme by whose rules it was concluded."),
        Column("programme_version", "integer", "The version of that programme in force on that date."),
        Column(
            "terms",
            "text[]",
            "Its term and those of its renewals (ISO 8601); empty: untermed, or not stated.",
            required=True,
        ),
        Column("last_day_earliest", "date", "The earliest possible last day of its terms; NULL without a known term."),
        Column("last_day_latest", "date", "The latest possible last day of its terms; NULL without a known term."),
        Column("auto_renewal", "boolean", "Whether it renews itself; NULL is not stated."),
        Column("renewals", "integer", "How often it was renewed.", required=True),
        Column("amendments", "integer", "How often it was amended.", required=True),
        Column("selection_ground", "text", "Why this partner without tender (随意契約の根拠), as a code."),
        Column("document_sha256", "text", "SHA-256 of the signed document, in hexadecimal."),
        Column("clauses", "json", "Its clauses as they now stand, as far as recorded, texts as digests."),
        Column("ended", "text", "How it ended: LAPSED, TERMINATED, or as its partnership did; NULL while in force."),
        Column("ended_on", "text", "When that was (EDTF)."),
        Column("ended_on_earliest", "date", "The first day on which that may have been; NULL is unbounded."),
        Column("ended_on_latest", "date", "The last day on which that may have been; NULL is unbounded."),
        Column("ended_by", "text", "CITY, PARTY or BOTH, where it was terminated."),
        Column("instrument_local", "text", "The city's own name of the document.", text=True),
        Column("about", "text", "What it is about.", text=True),
        Column("basis", "text[]", "What it is the basis of.", text=True),
        Column("document_ref", "text", "The number of the document in the city's files (文書番号).", text=True),
        Column("ground", "text", "Why it was terminated.", text=True),
    ),
    derive=_clear,
    derived=(
        Column(
            "clear_forms",
            "json",
            "The city's own forms, texts in their place and null where not public.",
            required=True,
        ),
        Column("clear_clauses", "json", "Its clauses, texts in their place and null where not public.", required=True),
    ),
)
