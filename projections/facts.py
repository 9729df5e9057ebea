"""Facts: one row for each life-cycle fact of a partnership, in few columns that every metric is counted from.

Coverage, how much of a period a programme's record covers, stands beside them: it decides whether a rate may be formed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.commands import BY_EVENT
from domain.dates import bounds, fiscal_year, fiscal_year_days
from domain.event import Certainty
from domain.partnership.state import Partnership
from domain.programme import CoverageDeclared, Programme
from projections.read_model import Column, ReadModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from domain.event import Event
    from domain.history import History, Recorded
    from domain.rules import Form
    from projections.read_model import Key, Parts

UNKNOWN_YEARS = (9999, 0)
"""The fiscal years of a period that is declared but not known: none at all."""

_MILLION = 1_000_000


# --- What each event says, in the columns of a fact ---------------------------------------------------------


def _nothing(_: Any) -> dict[str, Any]:
    return {}


def _forms(forms: Iterable[Form]) -> list[str]:
    return sorted({code.value for form in forms for code in form.codes})


def _money(event: Any) -> dict[str, Any]:
    payer = getattr(event, "payer", None)
    return {
        "kind": getattr(event, "stage", None),
        "yen": event.yen,
        "fiscal_year": getattr(event, "fiscal_year", None),
        "parties": [payer] if payer else [],
    }


def _meeting(event: Any) -> dict[str, Any]:
    # A series whose number of meetings is not stated is an unknown number of them, which is neither 0 nor 1.
    one = 1 if event.length is None and not event.recurring else None
    return {"count": event.meetings if event.meetings is not None else one, "parties": list(event.attendees)}


def _evaluation(event: Any) -> dict[str, Any]:
    scores = sorted(event.scores, key=lambda given: given.item)
    return {
        "number": event.evaluation,
        "side": event.side.value,
        "kind": event.principle_set,
        "codes": [given.item for given in scores],
        "lowest": event.lowest,
        "highest": event.highest,
        "scores": [given.score for given in scores],
    }


_FACTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "PartnershipRegistered": lambda e: {
        "kind": e.origin.value if e.origin else None,
        "side": e.city_role.value if e.city_role else None,
        "parties": [party.party for party in e.parties],
    },
    "ConsultationOpened": _nothing,
    "ConsultationClosed": lambda e: {"kind": e.outcome.value},
    "MeetingHeld": _meeting,
    "NeedsSurveyStarted": lambda e: {"fiscal_year": e.fiscal_year},
    "NeedsSurveyReported": lambda e: {"fiscal_year": e.fiscal_year},
    "ProposalSubmitted": lambda e: {
        "number": e.submission,
        "kind": e.kind.value,
        "side": e.proposed_by.value,
        "parties": [e.party] if e.party else [],
    },
    "ProposalWithdrawn": lambda e: {"number": e.submission},
    "RecommendationIssued": lambda e: {"number": e.submission, "kind": e.result},
    "ProposalAccepted": lambda e: {"number": e.submission, "kind": "CONDITIONAL" if e.conditions else None},
    "ProposalRejected": lambda e: {"number": e.submission, "codes": sorted({code.value for code in e.codes})},
    "AcceptanceDeclined": _nothing,
    "AcceptanceRevoked": _nothing,
    "ReconsiderationResolved": lambda e: {"number": e.submission, "kind": e.outcome},
    "TrialStarted": lambda e: {"length": e.length},
    "TrialCompleted": lambda e: {"length": e.length, "kind": e.result},
    "ModelYearStarted": lambda e: {"number": e.n, "fiscal_year": e.fiscal_year},
    "ModelYearCompleted": lambda e: {"number": e.n, "fiscal_year": e.fiscal_year},
    "AgreementConcluded": lambda e: {
        "kind": e.instrument,
        "codes": _forms(e.forms),
        "parties": list(e.parties),
        "length": e.term,
    },
    "AgreementAmended": lambda e: {"codes": _forms(e.forms), "parties": list(e.parties)},
    "AgreementRenewed": lambda e: {"number": e.no, "length": e.term},
    "AgreementLapsed": _nothing,
    "AgreementTerminated": lambda e: {"side": e.initiator.value, "valid": e.effective or e.valid.edtf},
    "ActivityStarted": _nothing,
    "ActivityConfirmed": lambda e: {"fiscal_year": e.fiscal_year, "codes": _forms(e.forms)},
    "RolesAssigned": lambda e: {"codes": _forms(form for activity in e.activities for form in activity.forms)},
    "PartnershipSuspended": _nothing,
    "PartnershipResumed": _nothing,
    "PartnershipCompleted": _nothing,
    "PartnershipBecameIndependent": _nothing,
    "PartnershipMainstreamed": lambda e: {"fiscal_year": e.fiscal_year},
    "FundingDecided": _money,
    "GrantDecided": _money,
    "GrantSettled": _money,
    "PaymentRecorded": _money,
    "RefundOrdered": _money,
    "EvaluationFiled": _evaluation,
}


# --- The table ----------------------------------------------------------------------------------------------


def _entries(history: History) -> Parts:
    return {(entry.stream, entry.version): entry for entry in history.entries if entry.name in _FACTS}


def _newest(history: History) -> tuple[Key, Recorded]:
    entry = history.entries[-1]
    return (entry.stream, entry.version), entry


def _row(_: Key, entry: Recorded, history: History) -> tuple[Any, ...]:
    said = _FACTS[entry.name](entry.event)
    valid = said.get("valid", entry.event.valid.edtf)
    days, certainty = bounds(valid), entry.event.valid.certainty
    years = fiscal_years(valid, said.get("fiscal_year"))
    return (
        _place(entry, history),
        entry.name,
        said.get("number"),
        said.get("kind"),
        said.get("side"),
        said.get("codes", []),
        said.get("parties", []),
        said.get("count"),
        said.get("yen"),
        said.get("length"),
        said.get("lowest"),
        said.get("highest"),
        said.get("scores", []),
        entry.meta.programme,
        valid,
        days.earliest,
        days.latest,
        certainty.value,
        certainty is Certainty.INFERRED or days.earliest is None or days.earliest != days.latest,
        *years,
    )


def _place(entry: Recorded, history: History) -> int:
    entries = history.entries
    if entries[-1] is entry:
        return len(entries)
    return next(place for place, each in enumerate(entries, start=1) if each is entry)


def fiscal_years(valid: str, stated: int | None = None) -> tuple[int | None, int | None]:
    """The first and the last fiscal year in which it may lie: the stated one, else those of its date (EDTF)."""
    if stated is not None:
        return stated, stated
    days = bounds(valid)
    return (
        fiscal_year(days.earliest) if days.earliest else None,
        fiscal_year(days.latest) if days.latest else None,
    )


def _score(row: dict[str, Any], texts: Mapping[str, str]) -> tuple[int | None]:
    """The mean of all items, in millionths of the scale; None while one of them cannot be read."""
    digests, lowest, highest = row["scores"], row["lowest"], row["highest"]
    given = [int(texts[digest]) for digest in digests if digest in texts]
    if not digests or len(given) < len(digests) or lowest is None or highest is None or highest <= lowest:
        return (None,)
    return (_MILLION * (sum(given) - lowest * len(given)) // ((highest - lowest) * len(given)),)


FACTS = ReadModel(
    name="fact",
    description="Facts: one row for each life-cycle fact of a partnership, which the metrics are counted from.",
    state=Partnership,
    key=(
        Column("partnership_id", "uuid", "The partnership, or the consultation that is none yet."),
        Column("version", "integer", "The number of the event in its stream, in recorded order."),
    ),
    parts=_entries,
    changed_by=tuple(BY_EVENT[name].event for name in _FACTS),
    appended=_newest,
    row=_row,
    columns=(
        Column("place", "integer", "Its place in the story, which tells what came before what."),
        Column("type", "text", "What happened."),
        Column("number", "integer", "Which one: the submission, renewal, model year or evaluation."),
        Column("kind", "text", "The code that tells it apart: a submission's kind, an outcome, a result, a stage."),
        Column("side", "text", "Whose it is: who proposed, evaluated or ended it; the city's role at registration."),
        Column("codes", "text[]", "Reasons of a rejection, forms of collaboration, items of an evaluation."),
        Column("parties", "text[]", "Party ids: who attended, proposed, signed; of money, who pays."),
        Column("count", "integer", "How many meetings; NULL is not stated, which is not 0."),
        Column("yen", "bigint", "The sum in yen; NULL is unknown, which is not 0."),
        Column("length", "text", "Term of an agreement or length of a trial (ISO 8601)."),
        Column("lowest", "integer", "The lowest score of the evaluation's scale."),
        Column("highest", "integer", "The highest score of the evaluation's scale."),
        Column("scores", "text[]", "Digests of the scores, in the order of codes."),
        Column("programme", "text", "The programme it was judged by."),
        Column("valid", "text", "When it happened (EDTF); of a termination, from when it takes effect."),
        Column("earliest", "date", "The first day on which it may have happened; NULL is unbounded."),
        Column("latest", "date", "The last day on which it may have happened; NULL is unbounded."),
        Column("certainty", "text", "STATED, NOT_STATED or INFERRED."),
        Column("imprecise", "boolean", "Whether its date names more than one day or none, or is inferred."),
        Column("year_from", "integer", "The first fiscal year in which it may lie; NULL is unbounded."),
        Column("year_until", "integer", "The last fiscal year in which it may lie; NULL is unbounded."),
    ),
    derive=_score,
    derived=(
        Column("score", "integer", "Mean of the scores in millionths of the scale; NULL while they cannot be read."),
    ),
    indexes=(
        "(type, tenant_id) WHERE known_until = 9223372036854775807",
        # When a city last recorded anything, at any moment: until then its partnerships are observed.
        "(tenant_id, recorded_from)",
    ),
)


# --- Coverage -----------------------------------------------------------------------------------------------


def _declarations(history: History) -> Parts:
    return {(e.stream, e.version): e for e in history.entries if isinstance(e.event, CoverageDeclared)}


def _coverage_row(_: Key, entry: Recorded, history: History) -> tuple[Any, ...]:
    event: Event = entry.event
    if not isinstance(event, CoverageDeclared):
        raise TypeError(entry.name)
    return (
        history.state.programme,
        event.period,
        *_whole_years(event.period),
        event.coverage.value,
        event.of,
        event.shown,
        event.total,
        event.valid.edtf,
        event.valid.source,
        event.basis,
    )


def _whole_years(period: str | None) -> tuple[int | None, int | None]:
    """The first and the last fiscal year that lie wholly in the period; None is no bound."""
    if period is None:
        return None, None
    days = bounds(period)
    if days.earliest is None and days.latest is None:
        return UNKNOWN_YEARS
    first = fiscal_year(days.earliest) if days.earliest else None
    last = fiscal_year(days.latest) if days.latest else None
    if first is not None and days.earliest != fiscal_year_days(first)[0]:
        first += 1
    if last is not None and days.latest != fiscal_year_days(last)[1]:
        last -= 1
    return first, last


COVERAGE = ReadModel(
    name="coverage",
    description="Coverage: one row for each declaration of how much of a period a programme's record covers.",
    state=Programme,
    key=(
        Column("programme_id", "uuid", "The programme's stream."),
        Column("version", "integer", "The number of the event in its stream; a later declaration overrides."),
    ),
    parts=_declarations,
    changed_by=(CoverageDeclared,),
    appended=_newest,
    row=_coverage_row,
    columns=(
        Column("programme", "text", "The programme whose record it is about."),
        Column("period", "text", "The period (EDTF); NULL is the whole record."),
        Column("year_from", "integer", "The first fiscal year that lies wholly in the period; NULL is unbounded."),
        Column("year_until", "integer", "The last fiscal year that lies wholly in the period; NULL is unbounded."),
        Column("coverage", "text", "COMPLETE, SELECTION or UNKNOWN.", required=True),
        Column("of", "text", "What is covered, such as PARTNERSHIPS or PROPOSALS."),
        Column("shown", "integer", "How many of them the record shows."),
        Column("total", "integer", "How many there are; NULL is not stated."),
        Column("valid", "text", "As of when it is declared (EDTF).", required=True),
        Column("source", "text", "The publication it was taken from."),
        Column("basis", "text", "Why it is held to be so.", text=True),
    ),
)
