"""What a partnership is made of: its parties, its submissions with their reviews, its agreements, grants, evaluations.

Texts are digests (domain/text.py); dates are EDTF.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from domain.codes import CorporateNumber
from domain.dates import bounds, plus
from domain.rules import Form
from domain.text import Disclosed, PartyId, Text, Visibility
from domain.values import Code, Count, Frozen
from domain.vocabulary import (
    CityRole,
    Initiator,
    PartyKind,
    Proposer,
    RejectionCode,
    Side,
    Status,
    SubmissionKind,
)

_CLOSED_KINDS = frozenset({PartyKind.INDIVIDUAL, PartyKind.SOLE_PROPRIETOR})


def name_visibility(party: dict[str, Any]) -> Visibility:
    """Names of individuals and sole proprietors are closed by default (domain.md §3.6)."""
    return Visibility.PERSONAL if party.get("kind") in _CLOSED_KINDS else Visibility.PUBLIC


PartyName = Annotated[str, Disclosed(name_visibility, subject="party")]


class Party(Frozen):
    """A party: opaque id, kind, roles in this partnership. `count` None: how many stand behind it is not stated."""

    party: PartyId
    kind: PartyKind | None = None
    roles: tuple[Code, ...] = ()
    city_role: CityRole | None = None
    count: Count | None = None
    corporate_number: CorporateNumber | None = None
    name_ja: PartyName
    name_en: PartyName | None = None


class Membership(Frozen):
    """A party as it stands now."""

    party: Party
    kind: PartyKind | None = None
    invited: str | None = None
    members: tuple[str, ...] = ()


class Score(Frozen):
    """What one reviewer gave for one criterion, in points."""

    reviewer: str
    criterion: str
    score: int


class Review(Frozen):
    """The review of one submission (審査). `size`: how many sit on the panel where its members are not listed."""

    size: int | None = None
    members: tuple[str, ...] = ()
    recused: tuple[str, ...] = ()
    presented: bool = False
    scores: tuple[Score, ...] = ()
    recommended: bool | None = None
    present: int | None = None
    weighted_total: int | None = None
    averages: tuple[tuple[str, int], ...] = ()
    comment: str | None = None


class Decision(Frozen):
    """Who decided on a proposal on whose authority, and what was told of it; texts are digests."""

    decided_by: str | None = None
    authority: str | None = None
    accepted_as: str | None = None
    note: str | None = None
    conditions: tuple[str, ...] = ()
    local_codes: tuple[str, ...] = ()
    explanation: str | None = None
    advice: str | None = None


class Submission(Frozen):
    """A numbered proposal and what became of it (ACCEPTED, REJECTED, WITHDRAWN or None while undecided).

    `fulfilled`: the conditions of its acceptance that are met, by number. `undone`: DECLINED or REVOKED, where the
    acceptance did not last. `reconsidered`: UPHELD or ACCEPTED, how a request to decide again ended.
    """

    number: int
    kind: SubmissionKind
    submitted: str = "XXXX"
    proposed_by: Proposer | None = None
    answers: int | None = None
    party: str | None = None
    objective: str | None = None
    budget_yen: int | None = None
    programme: str | None = None
    call: str | None = None
    review: Review | None = None
    outcome: Status | None = None
    decided: str | None = None
    codes: tuple[RejectionCode, ...] = ()
    decision: Decision | None = None
    fulfilled: tuple[int, ...] = ()
    undone: Status | None = None
    undone_on: str | None = None
    reconsidering: bool = False
    reconsidered: str | None = None


class Grant(Frozen):
    """A grant that was decided (交付決定) and what was paid on it, in yen; None is unknown, not 0."""

    grant: str
    yen: int | None
    fiscal_year: int
    paid: int = 0
    settled: int | None = None

    @property
    def limit(self) -> int | None:
        """The most that may be paid on it."""
        return self.yen if self.settled is None else self.settled


class Filing(Frozen):
    """What one side filed of an evaluation; texts and scores are digests, `lowest` and `highest` the scale."""

    side: Side
    filed: str
    by: str | None = None
    principle_set: str | None = None
    lowest: int | None = None
    highest: int | None = None
    scores: tuple[tuple[str, str], ...] = ()
    result: str | None = None
    method: str | None = None
    next_actions: tuple[str, ...] = ()


class Evaluation(Frozen):
    """A mutual evaluation (振り返り): what each side filed, when it was revealed, and in which term it falls."""

    number: int
    period: str | None = None
    opened: str
    filings: tuple[Filing, ...] = ()
    shared_on: str | None = None
    discussed: bool = False
    renewals: int = 0

    @property
    def sides(self) -> tuple[Side, ...]:
        """Who has filed."""
        return tuple(filing.side for filing in self.filings)

    @property
    def shared(self) -> bool:
        """Whether it is revealed."""
        return self.shared_on is not None


def _day_before(day: date) -> date:
    return date.fromordinal(max(day.toordinal() - 1, 1))


class Clause(Frozen):
    """A clause of the agreement by code and in words."""

    code: Code
    text: Text | None = None


class Agreement(Frozen):
    """An agreement and its terms; `ended` is how it ended, None while in force. Texts are digests.

    `forms` are the common codes, `local_forms` the city's own forms with the codes behind each.
    """

    number: int
    parties: tuple[str, ...] = ()
    instrument: str | None = None
    instrument_local: str | None = None
    about: str | None = None
    forms: tuple[str, ...] = ()
    local_forms: tuple[Form, ...] = ()
    basis: tuple[str, ...] = ()
    clauses: tuple[Clause, ...] = ()
    selection_ground: str | None = None
    document_sha256: str | None = None
    began: str
    terms: tuple[str, ...] = ()
    auto_renewal: bool | None = None
    renewals: int = 0
    amendments: int = 0
    ended: Status | None = None
    ended_on: str | None = None
    ended_by: Initiator | None = None
    ground: str | None = None

    @property
    def last_days(self) -> tuple[date, date] | None:
        """The earliest and the latest possible last day of its term; None where it has no term or no known start."""
        start = bounds(self.began)
        if not self.terms or start.earliest is None or start.latest is None:
            return None
        first, last = start.earliest, start.latest
        for term in self.terms:
            first, last = plus(first, term), plus(last, term)
        return _day_before(first), _day_before(last)
