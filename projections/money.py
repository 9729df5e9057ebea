"""Money: what was decided, paid, settled, ordered back and donated, one fact a row. Unknown yen is unknown, not 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.dates import bounds
from domain.partnership.consultation import NeedsSurveyStarted
from domain.partnership.money import (
    DonationReceived,
    FundingDecided,
    GrantDecided,
    GrantSettled,
    PaymentRecorded,
    RefundOrdered,
)
from domain.partnership.state import Partnership
from domain.partnership.trial import ModelYearStarted
from projections.read_model import Column, ReadModel

if TYPE_CHECKING:
    from domain.event import Event
    from domain.history import History, Recorded
    from projections.read_model import Key, Parts

_KINDS: dict[type[Event], tuple[str, str]] = {
    FundingDecided: ("FUNDING", "DECIDED"),
    GrantDecided: ("GRANT", "DECIDED"),
    GrantSettled: ("GRANT", "SETTLED"),
    PaymentRecorded: ("PAYMENT", "PAID"),
    RefundOrdered: ("REFUND", "ORDERED"),
    DonationReceived: ("DONATION", "RECEIVED"),
    NeedsSurveyStarted: ("SURVEY_GRANT", "STATED"),
    ModelYearStarted: ("MODEL_YEAR_GRANT", "STATED"),
}
"""Kind and stage of what each event tells of money."""

_TELLS_OF_MONEY_BESIDES = (NeedsSurveyStarted, ModelYearStarted)


def _facts(history: History) -> Parts:
    """Each event of money, with the decision on its grant where it speaks of one."""
    told = [entry for entry in history.entries if type(entry.event) in _KINDS]
    grants = {entry.event.grant: entry.event for entry in told if isinstance(entry.event, GrantDecided)}
    return {
        (entry.stream, entry.version): (entry, grants.get(getattr(entry.event, "grant", None) or ""))
        for entry in told
        # A survey or a model year for which no sum is stated says nothing of money.
        if not (isinstance(entry.event, _TELLS_OF_MONEY_BESIDES) and entry.event.grant_yen is None)
    }


def _row(_: Key, part: tuple[Recorded, GrantDecided | None], __: History) -> tuple[Any, ...]:
    entry, decided = part
    event: Any = entry.event
    kind, stage = _KINDS[type(event)]
    said = event.__dict__
    days, grantee = bounds(event.valid.edtf), decided.payee if decided else None
    payer, payee = said.get("payer"), said.get("payee") or grantee
    if isinstance(event, RefundOrdered):
        payer, payee = grantee, None
    elif isinstance(event, DonationReceived):
        payer, payee = event.donor, event.fund
    return (
        kind,
        said.get("stage", stage),
        said["grant_yen"] if isinstance(event, _TELLS_OF_MONEY_BESIDES) else event.yen,
        said.get("fiscal_year") or (decided.fiscal_year if decided else None),
        said.get("recurrence"),
        said.get("since"),
        said.get("grant"),
        said.get("programme") or (decided.programme if decided else None),
        said.get("rate"),
        payer,
        payee,
        said.get("decided_by"),
        said.get("used_for"),
        said.get("due"),
        event.valid.edtf,
        days.earliest,
        days.latest,
        event.valid.certainty.value,
        event.valid.source,
        entry.position,
        said.get("reason"),
    )


MONEY = ReadModel(
    name="money",
    description="Money: one row for each time that a partnership's record tells of a sum, known or not.",
    state=Partnership,
    key=(
        Column("partnership_id", "uuid", "The partnership."),
        Column("version", "integer", "The number of the event in its stream, in recorded order."),
    ),
    parts=_facts,
    changed_by=tuple(_KINDS),
    row=_row,
    columns=(
        Column(
            "kind",
            "text",
            "FUNDING, GRANT, PAYMENT, REFUND, DONATION, SURVEY_GRANT or MODEL_YEAR_GRANT.",
            required=True,
        ),
        Column(
            "stage",
            "text",
            "DECIDED (予算・交付決定), PAID, SETTLED (額の確定), ORDERED back (返還), RECEIVED; STATED with a survey or"
            " a model year, for which a grant may have been decided too.",
            required=True,
        ),
        Column("yen", "bigint", "The sum in yen; NULL is unknown, which is not 0."),
        Column("fiscal_year", "integer", "The fiscal year that it belongs to (会計年度); NULL is not stated."),
        Column("recurrence", "text", "ANNUAL or ONE_OFF; NULL is not stated."),
        Column("since", "text", "From when it is paid (EDTF)."),
        Column("grant_id", "text", "The grant's number in its partnership."),
        Column("programme", "text", "The programme that the money comes from, where it is named."),
        Column("rate", "integer", "The share of the cost, in basis points."),
        Column("from_party", "text", "The party id of who pays; NULL is not stated."),
        Column("to_party", "text", "The party id of who is paid; NULL is not stated."),
        Column("decided_by", "text", "The party id of who decided; NULL is not stated."),
        Column("used_for", "text", "What a donation is used for."),
        Column("due", "text", "By when a refund is due (EDTF)."),
        Column("valid", "text", "When it happened (EDTF)."),
        Column("earliest", "date", "The first day on which it may have happened; NULL is unbounded."),
        Column("latest", "date", "The last day on which it may have happened; NULL is unbounded."),
        Column("certainty", "text", "STATED, NOT_STATED or INFERRED."),
        Column("source", "text", "The publication it was taken from."),
        Column("position", "bigint", "The position of its event in the city's log.", required=True),
        Column("reason", "text", "Why it has to be given back.", text=True),
    ),
    indexes=("(fiscal_year, tenant_id)",),
)
