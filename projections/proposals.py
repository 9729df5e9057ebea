"""Proposals: what was submitted, what the panel said of it, and what was decided by whom and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from domain.dates import bounds
from domain.partnership.proposal import (
    ProposalAccepted,
    ProposalRejected,
    ProposalSubmitted,
    ProposalWithdrawn,
    ReconsiderationResolved,
)
from domain.partnership.state import Partnership
from projections.facts import fiscal_years
from projections.read_model import Column, ReadModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from domain.history import History, Recorded
    from domain.partnership.parts import Review, Submission
    from projections.read_model import Key, Parts

_DECISIONS = (ProposalAccepted, ProposalRejected, ProposalWithdrawn)


def _submissions(history: History) -> Parts:
    stream = history.recorded[0].stream
    return {(stream, place): known for place, known in enumerate(history.state.submissions, start=1)}


def _source(history: History) -> Any:
    return history.state.submissions


def _row(key: Key, known: Submission, history: History) -> tuple[Any, ...]:
    submitted = bounds(known.submitted)
    decided = bounds(known.decided or "XXXX")
    came, *later = _since(history, key[1])
    went = _decided(later, known) if known.outcome else None
    judged = (went or came).meta
    return (
        known.number,
        known.kind.value,
        known.proposed_by.value if known.proposed_by else None,
        known.answers,
        known.party,
        known.submitted,
        submitted.earliest,
        submitted.latest,
        *fiscal_years(known.submitted),
        came.position,
        judged.programme,
        judged.programme_version,
        known.programme,
        known.call,
        known.budget_yen,
        *_reviewed(known.review, over=known.outcome is not None),
        known.outcome.value if known.outcome else None,
        known.decided,
        decided.earliest,
        decided.latest,
        went.position if went else None,
        went.meta.actor if went else None,
        *_said(known),
        list(known.fulfilled),
        known.undone.value if known.undone else None,
        known.undone_on,
        known.reconsidering,
        known.reconsidered,
        known.objective,
        known.review.comment if known.review else None,
    )


def _since(history: History, place: int) -> Sequence[Recorded]:
    """The event that brought the submission of that place, and all that came after it."""
    came = [at for at, entry in enumerate(history.entries) if type(entry.event) is ProposalSubmitted]
    return history.entries[came[place - 1] :]


def _decided(later: Iterable[Recorded], known: Submission) -> Recorded | None:
    """The event that decided: the first decision on it, unless it was accepted when the city decided again."""
    found: Recorded | None = None
    for entry in later:
        event = entry.event
        if isinstance(event, ReconsiderationResolved) and event.submission == known.number:
            found = entry if event.outcome == "ACCEPTED" else found
        elif found is None and isinstance(event, _DECISIONS) and event.submission == known.number:
            found = entry
    return found


def _reviewed(review: Review | None, *, over: bool) -> tuple[Any, ...]:
    """Size, members that stand back, presented, took part, averages, recommended, weighted total."""
    if review is None:
        return None, None, None, None, "[]", None, None
    # Until the panel has spoken, what single members gave is theirs to change.
    averages = list(_averages(review)) if over or review.recommended is not None else []
    return (
        review.size if review.size is not None else len(review.members) or None,
        len(review.recused),
        review.presented,
        review.present,
        to_json(averages).decode(),
        review.recommended,
        review.weighted_total,
    )


def _averages(review: Review) -> Iterator[dict[str, Any]]:
    """The panel's mean for each criterion: as it stated it, else of the scores of those who do not stand back."""
    if review.averages:
        for criterion, hundredths in review.averages:
            yield {"criterion": criterion, "hundredths": hundredths, "stated": True}
        return
    counted = [score for score in review.scores if score.reviewer not in review.recused]
    for criterion in dict.fromkeys(score.criterion for score in counted):
        given = [score.score for score in counted if score.criterion == criterion]
        mean = (200 * sum(given) + len(given)) // (2 * len(given))
        yield {"criterion": criterion, "hundredths": mean, "stated": False, "reviewers": len(given)}


def _said(known: Submission) -> tuple[Any, ...]:
    """By whom, authority, accepted as, reasons, local reasons; conditions, explanation, advice, note as digests."""
    decision, reasons = known.decision, [code.value for code in known.codes]
    if decision is None:
        return None, None, None, reasons, [], [], None, None, None
    return (
        decision.decided_by,
        decision.authority,
        decision.accepted_as,
        reasons,
        list(decision.local_codes),
        list(decision.conditions),
        decision.explanation,
        decision.advice,
        decision.note,
    )


PROPOSALS = ReadModel(
    name="proposal",
    description="Proposals: one row for each submission of a partnership, with its review and its decision.",
    state=Partnership,
    key=(
        Column("partnership_id", "uuid", "The partnership."),
        Column("place", "integer", "Its place among the partnership's submissions, from 1."),
    ),
    parts=_submissions,
    source=_source,
    row=_row,
    columns=(
        Column(
            "number",
            "integer",
            "The number it was given, which is its place unless an earlier record differs.",
            required=True,
        ),
        Column(
            "kind", "text", "NEW, RESUBMISSION after a rejection, or CONTINUATION of what is under way.", required=True
        ),
        Column("proposed_by", "text", "CITIZENS (市民提案) or CITY (行政提案)."),
        Column("answers", "integer", "The number of the rejected submission that it answers."),
        Column("party", "text", "The party id of who proposes; NULL is not stated."),
        Column("submitted", "text", "When it was submitted (EDTF)."),
        Column("submitted_earliest", "date", "The first day on which that may have been; NULL is unbounded."),
        Column("submitted_latest", "date", "The last day on which that may have been; NULL is unbounded."),
        Column("year_from", "integer", "The first fiscal year in which it may have been submitted; NULL is unbounded."),
        Column("year_until", "integer", "The last fiscal year in which it may have been submitted; NULL is unbounded."),
        Column("submitted_position", "bigint", "The position of its submission in the city's log.", required=True),
        Column("programme", "text", "The programme by whose rules it was decided, or submitted while it is undecided."),
        Column("programme_version", "integer", "The version of that programme in force on that date."),
        Column("call_programme", "text", "The programme whose call it answers, where it is another one."),
        Column("call", "text", "The call that it answers."),
        Column("budget_yen", "bigint", "Its budget in yen; NULL is unknown, which is not 0."),
        Column("panel", "integer", "How many sit on the panel; NULL without a review or where it is not stated."),
        Column("recused", "integer", "How many of the panel stand back (除斥・回避); NULL without a review."),
        Column("presented", "boolean", "Whether it was presented to the panel; NULL without a review."),
        Column("present", "integer", "How many reviewers took part in the recommendation; NULL is not stated."),
        Column(
            "averages",
            "json",
            "The panel's mean by criterion, in hundredths of a point, once it has recommended or the city has decided:"
            " as the panel stated it, else of the recorded scores.",
            required=True,
        ),
        Column("recommended", "boolean", "Whether the panel recommends it (答申); NULL without a recommendation."),
        Column("weighted_total", "integer", "The panel's weighted total, in basis points of the greatest possible."),
        Column("outcome", "text", "ACCEPTED, REJECTED or WITHDRAWN; NULL while undecided."),
        Column("decided", "text", "When that was decided (EDTF)."),
        Column("decided_earliest", "date", "The first day on which that may have been; NULL is unbounded."),
        Column("decided_latest", "date", "The last day on which that may have been; NULL is unbounded."),
        Column("decided_position", "bigint", "The position of the decision in the city's log."),
        Column("actor", "text", "Role of who acted in the decision, with an opaque id where known."),
        Column("decided_by", "text", "The party id of who decided; NULL is not stated."),
        Column("authority", "text", "On whose authority: the code of an office, or of a delegation (専決)."),
        Column("accepted_as", "text", "As what it was accepted."),
        Column("reasons", "text[]", "Common codes of why it was rejected.", required=True),
        Column("local_reasons", "text[]", "The city's own codes of why it was rejected.", required=True),
        Column("conditions", "text[]", "The conditions of its acceptance, in their order.", text=True, required=True),
        Column("explanation", "text", "The public explanation of the rejection.", text=True),
        Column("advice", "text", "What the proposers are advised to do.", text=True),
        Column("note", "text", "What else the decision says.", text=True),
        Column(
            "fulfilled", "integer[]", "Which of the conditions are fulfilled, by their number from 1.", required=True
        ),
        Column("undone", "text", "DECLINED or REVOKED: the acceptance did not last."),
        Column("undone_on", "text", "When that was (EDTF)."),
        Column(
            "reconsidering", "boolean", "Whether somebody asked to decide again and has no answer yet.", required=True
        ),
        Column("reconsidered", "text", "UPHELD or ACCEPTED: what came of deciding again."),
        Column("objective", "text", "What it is for.", text=True),
        Column("review_comment", "text", "What the panel says of it (講評).", text=True),
    ),
    indexes=("(year_from, tenant_id)",),
)
