"""Who decided what on whose authority, what the panel did before, and whether the reasons are given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from domain.event import Role
from domain.partnership.parts import Review, Submission
from domain.partnership.proposal import ProposalRejected
from domain.partnership.review import PresentationHeld, RecommendationIssued, ScoreRecorded, ScoreRevised
from domain.partnership.state import Partnership, PartnershipEvent
from domain.rules import ReviewRules
from projections.audit.evidence import event, is_of, steps
from projections.audit.findings import Findings, Level, Row, Words, flagged, from_rows, gravest, listed, say

if TYPE_CHECKING:
    from domain.event import Event
    from domain.history import History, Recorded
    from projections.audit.evidence import Evidence

Flag = tuple[Level, Words]
_WHOLE = 10_000


def who_decided(evidence: Evidence) -> Findings:
    """Every decision and every signed agreement, each with who decided and what the review before it was."""
    rows = sorted(
        (row for history in evidence.streams.values() for row in _decisions(evidence, history)),
        key=lambda row: row.position or 0,
    )
    if not rows:
        return Findings(Level.OK, Words("決定の記録はありません。", "No decision is recorded."))
    sentence = say(
        "決定と協定{n}件のうち、指摘{flagged}件、留意{noted}件です。",
        "Decisions and agreements: {n}; with findings: {flagged}; with notes: {noted}.",
        n=len(rows),
        flagged=flagged(rows),
        noted=sum(row.level is Level.NOTE for row in rows),
    )
    return from_rows(sentence, rows)


def _decisions(evidence: Evidence, history: History) -> Iterator[Row]:
    recommendations: dict[int, Recorded] = {}
    for entry, state in steps(history):
        given = entry.event
        if isinstance(given, RecommendationIssued):
            recommendations[given.submission] = entry
        if hasattr(given, "decided_by"):
            flags = list(_decider(evidence, entry))
            parts = [_decided(evidence, entry), _under(entry)]
            submission = _submission(state, given)
            if hasattr(given, "authority") and submission is not None:
                parts += list(_reviewed(evidence, entry, submission, recommendations.get(submission.number), flags))
            yield _row(evidence, entry, parts, flags)
        elif isinstance(given, PartnershipEvent) and given.signed:
            flags = list(_unsigned(evidence, entry))
            yield _row(evidence, entry, [_signed(evidence, entry), _under(entry)], flags)


def _row(evidence: Evidence, entry: Recorded, parts: list[Words], flags: list[Flag]) -> Row:
    what = listed((*parts, *(words for _, words in flags)))
    return evidence.row(gravest(level for level, _ in flags), entry, what)


def _submission(state: Any, given: Event) -> Submission | None:
    number = getattr(given, "submission", None)
    if not isinstance(state, Partnership) or number is None:
        return None
    return next((known for known in state.submissions if known.number == number), None)


def _decided(evidence: Evidence, entry: Recorded) -> Words:
    given: Any = entry.event
    name = event(entry.name)
    if (number := getattr(given, "submission", None)) is not None:
        name = say("{name}(第{n}回提案)", "{name} (submission {n})", name=name, n=number)
    known = []
    if given.decided_by is not None:
        known.append(say("決定者 {who}", "decided by {who}", who=evidence.party(given.decided_by)))
    if (authority := getattr(given, "authority", None)) is not None:
        label = evidence.code("authority", authority)
        known.append(say("権限 {authority}", "on the authority of: {authority}", authority=label))
    if not known:
        return name
    return say("{name}: {known}", "{name}: {known}", name=name, known=listed(known, "、", ", "))


def _under(entry: Recorded) -> Words:
    meta = entry.judged_by or entry.meta
    if meta.programme is None:
        return Words("制度の定めなし", "under no programme")
    return say("制度 {slug} 第{n}版", "under {slug}, version {n}", slug=meta.programme, n=meta.programme_version)


def _decider(evidence: Evidence, entry: Recorded) -> Iterator[Flag]:
    given: Any = entry.event
    names_authority = hasattr(given, "authority")
    if given.decided_by is None:
        # Beside the decisions on proposals it may be left open who decided.
        level = evidence.lacking(entry) if names_authority else Level.NOTE
        yield level, Words("決定者の記載がない", "who decided is not stated")
    if names_authority and given.authority is None:
        yield evidence.lacking(entry), Words("権限の記載がない", "on whose authority is not stated")


def _reviewed(
    evidence: Evidence, entry: Recorded, submission: Submission, recommendation: Recorded | None, flags: list[Flag]
) -> Iterator[Words]:
    review = submission.review
    if review is None:
        yield Words("審査の記録なし", "no review is recorded")
        return
    judged = recommendation or entry
    rules = evidence.rules_of(judged.judged_by or judged.meta).review
    panel = _panel(review, recommendation, rules)
    yield panel.words
    if panel.quorum is not None and panel.present is None:
        words = Words(
            "出席者数の記載がなく、定足数を確かめられない", "quorum cannot be judged: nobody is named as present"
        )
        flags.append((evidence.lacking(judged), words))
    elif panel.quorum is not None and panel.present is not None and panel.present < panel.quorum:
        flags.append((Level.FINDING, Words("定足数に足りない", "without quorum")))
    flags.extend(_recused_scores(review, recommendation, rules))


@dataclass(frozen=True, slots=True)
class Panel:
    """Who took part in a review, as far as it was recorded, and what it recommended."""

    quorum: int | None
    present: int | None
    recused: int
    recommended: bool | None

    @property
    def words(self) -> Words:
        """In one phrase."""
        unknown = Words("記載なし", "not stated")
        none = Words("定めなし", "none required")
        result = Words("答申なし", "no recommendation")
        if self.recommended is not None:
            result = Words("答申「採択が適当」", "recommended")
            if not self.recommended:
                result = Words("答申「採択は適当でない」", "not recommended")
        return say(
            "審査の定足数 {quorum}、出席 {present}、除斥・回避 {recused}、{result}",
            "review: quorum {quorum}, present {present}, recused {recused}, {result}",
            quorum=none if self.quorum is None else self.quorum,
            present=unknown if self.present is None else self.present,
            recused=self.recused,
            result=result,
        )


def _panel(review: Review, recommendation: Recorded | None, rules: ReviewRules) -> Panel:
    scoring = {score.reviewer for score in review.scores} - set(review.recused)
    stated = getattr(recommendation.event, "present", None) if recommendation else None
    present = max(stated or 0, len(scoring)) or stated
    return Panel(rules.quorum, present, len(review.recused), review.recommended)


def _recused_scores(review: Review, recommendation: Recorded | None, rules: ReviewRules) -> Iterator[Flag]:
    """Scores of who stood back: whether what the panel stated in sum still contains them."""
    if not {score.reviewer for score in review.scores} & set(review.recused):
        return
    given = recommendation.event if recommendation else None
    contained = False
    if isinstance(given, RecommendationIssued):
        with_them, without = _sums(review, rules), _sums(_without_recused(review), rules)
        stated = {"": given.weighted_total, **{each.criterion: each.hundredths for each in given.averages}}
        contained = any(
            value is not None and _near(value, with_them.get(key)) and not _near(value, without.get(key))
            for key, value in stated.items()
        )
    if contained:
        yield (
            Level.FINDING,
            Words("除斥・回避した審査員の点が集計に入っている", "a recused reviewer’s scores were counted"),
        )
    else:
        yield (
            Level.NOTE,
            Words(
                "除斥・回避した審査員の点が残るが、集計には入っていない",
                "a recused reviewer’s scores stand, not counted",
            ),
        )


def _near(stated: int, computed: int | None) -> bool:
    # The panel may round where the rules cut off.
    return computed is not None and abs(stated - computed) <= 1


def _without_recused(review: Review) -> Review:
    scores = tuple(score for score in review.scores if score.reviewer not in review.recused)
    return review.model_copy(update={"scores": scores})


def _sums(review: Review, rules: ReviewRules) -> dict[str, int]:
    """The weighted total in basis points (under "") and each criterion's mean in hundredths, of all the scores."""
    criteria = {criterion.code: criterion for criterion in rules.criteria}
    sums: dict[str, int] = {}
    for code in {score.criterion for score in review.scores}:
        given = [score.score for score in review.scores if score.criterion == code]
        sums[code] = 100 * sum(given) // len(given)
    weighed = [(criteria[score.criterion], score.score) for score in review.scores if score.criterion in criteria]
    if possible := sum(criterion.weight * criterion.highest for criterion, _ in weighed):
        sums[""] = _WHOLE * sum(criterion.weight * score for criterion, score in weighed) // possible
    return sums


def _signed(evidence: Evidence, entry: Recorded) -> Words:
    name, meta = event(entry.name), entry.meta
    if meta.role is Role.CLOCK:
        return say("{name}: 自動更新を期限管理が記録", "{name}: it renews itself, recorded by the clock", name=name)
    number = say("文書番号 {text}", "document {text}", text=evidence.text(meta.document_ref))
    signed = say("署名 {n}者", "signed by {n} parties", n=len(meta.signatories))
    parts = [part for part, known in ((signed, meta.signatories), (number, meta.document_ref)) if known]
    by = say("行為者 {actor}", "by {actor}", actor=meta.actor)
    return say("{name}: {how}", "{name}: {how}", name=name, how=listed((by, *parts), "、", ", "))


def _unsigned(evidence: Evidence, entry: Recorded) -> Iterator[Flag]:
    meta = entry.meta
    if meta.role is not Role.CLOCK and not meta.signatories and meta.document_ref is None:
        yield (
            evidence.lacking(entry),
            Words("署名も文書番号も記載がない", "neither signatures nor a document are stated"),
        )


def scores_after_presentation(evidence: Evidence) -> Findings:
    """Scores revised, corrected, retracted or entered after the presentation; graver once the panel had reported."""
    rows = [row for history in evidence.partnerships for row in _changed_scores(evidence, history)]
    presentations = sum(
        is_of(entry, PresentationHeld) for history in evidence.partnerships for entry in history.entries
    )
    sentence = say(
        "公開プレゼンテーション{presentations}件。その後の点の変更{n}件、うち答申または決定より後{flagged}件です。",
        "Presentations: {presentations}; scores changed after them: {n}, of these after the recommendation or decision:"
        " {flagged}.",
        presentations=presentations,
        n=len(rows),
        flagged=flagged(rows),
    )
    return from_rows(sentence, rows)


def _changed_scores(evidence: Evidence, history: History) -> Iterator[Row]:
    milestones = _milestones(history)
    known: dict[tuple[int, str, str], int] = {}
    reviewers: dict[str, int] = {}
    for entry in history.recorded:
        score, how = _score_changed(history, entry)
        if score is None:
            continue
        key = (score.submission, score.reviewer, score.criterion)
        before, now = known.get(key), score.score if how != "EventRetracted" else None
        number = reviewers.setdefault(score.reviewer, len(reviewers) + 1)
        if now is not None:
            known[key] = now
        presented, closed = milestones.get(score.submission, (None, None))
        is_late = closed is not None and entry.position > closed
        if not is_late and (how == "ScoreRecorded" or presented is None or entry.position < presented):
            continue
        yield evidence.row(
            Level.FINDING if is_late else Level.NOTE,
            entry,
            say(
                "{how}: 第{n}回提案、審査員{reviewer}、{criterion} {before} → {after}({when})",
                "{how}: submission {n}, reviewer {reviewer}, {criterion} {before} → {after} ({when})",
                how=event(how),
                n=score.submission,
                reviewer=number,
                criterion=evidence.code("criterion", score.criterion),
                before="–" if before is None else before,
                after="–" if now is None else now,
                when=Words("答申または決定の後", "after the recommendation or decision")
                if is_late
                else Words("公開プレゼンテーションの後、答申の前", "after the presentation, before the recommendation"),
            ),
        )


def _milestones(history: History) -> dict[int, tuple[int | None, int | None]]:
    """Submission → the positions at which its presentation and the end of its review were recorded."""
    found: dict[int, tuple[int | None, int | None]] = {}
    for entry in history.entries:
        number = getattr(entry.event, "submission", None)
        if number is None:
            continue
        presented, closed = found.get(number, (None, None))
        if is_of(entry, PresentationHeld):
            presented = entry.position
        elif closed is None and (is_of(entry, RecommendationIssued) or hasattr(entry.event, "authority")):
            closed = entry.position
        found[number] = (presented, closed)
    return found


def _score_changed(history: History, entry: Recorded) -> tuple[ScoreRecorded | None, str]:
    """The score that an entry gives, or changes by correcting or retracting another one, and how."""
    given: Any = entry.event
    if isinstance(given, ScoreRecorded):
        return given, entry.name
    if entry.name not in {"EventCorrected", "EventRetracted"}:
        return None, entry.name
    target = next(each for each in history.recorded if each.version == given.target)
    if not isinstance(target.event, ScoreRecorded):
        return None, entry.name
    if entry.name == "EventRetracted":
        return target.event, entry.name
    kind = ScoreRevised if isinstance(target.event, ScoreRevised) else ScoreRecorded
    return kind.model_validate_json(orjson.dumps(given.data)), entry.name


def rejections_without_reasons(evidence: Evidence) -> Findings:
    """Rejections that lack a reason code or a public explanation, or whose explanation can no longer be read."""
    rejections = [e for h in evidence.partnerships for e in h.entries if is_of(e, ProposalRejected)]
    rows = [row for entry in rejections for row in _unexplained(evidence, entry)]
    sentence = say(
        "不採択{n}件のうち、理由または公開の説明を欠くものは{flagged}件です。",
        "Rejections: {n}; without a reason or a public explanation: {flagged}.",
        n=len(rejections),
        flagged=len(rows),
    )
    return from_rows(sentence, rows)


def _unexplained(evidence: Evidence, entry: Recorded) -> Iterator[Row]:
    given = entry.event
    if not isinstance(given, ProposalRejected):
        return
    missing = []
    if not given.codes:
        missing.append(Words("理由の区分がない", "no reason code"))
    if given.public_explanation is None:
        missing.append(Words("公開の説明がない", "no public explanation"))
    if missing:
        what = listed(missing, "、", ", ")
        yield evidence.row(
            evidence.lacking(entry),
            entry,
            say("不採択(第{n}回提案): {what}", "Rejected (submission {n}): {what}", n=given.submission, what=what),
        )
    elif given.public_explanation not in evidence.texts:
        text = "不採択(第{n}回提案): 説明は記録されたが、今は公開されていない"
        yield evidence.row(
            Level.NOTE,
            entry,
            say(text, "Rejected (submission {n}): explained, but no longer public", n=given.submission),
        )
