"""公開・訂正請求・添付・保存: what happens to a record itself, on any stream of a city."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from domain import errors
from domain.dates import Edtf
from domain.event import Context, CorrectionRequest, Event, State
from domain.text import PartyId, StaffText, Text
from domain.values import Code, Digest, Duration, Ordinal, Sha256, Slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MediaType = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,40}/[a-z0-9.+-]{1,80}$")]
Bytes = Annotated[int, Field(ge=0, le=10**12)]


class CustodyEvent(Event):
    """An event about the record, not about what the record tells; its date says nothing about the story."""

    in_order: ClassVar[bool] = False


class CorrectionRequested(CustodyEvent):
    """Somebody asks to have the record corrected (訂正請求); due in 30 days. Only the city sees who asked."""

    request: Ordinal
    target: Ordinal | None = None
    asked_by: StaffText | None = None
    ground: StaffText | None = None

    def violations(self, state: State, context: Context) -> Iterator[errors.RuleViolated]:
        expected = len(state.correction_requests) + 1
        if self.request != expected:
            yield errors.NumberOutOfSequence(what="request for correction", given=self.request, expected=expected)

    def evolve(self, state: Any) -> Any:
        asked = CorrectionRequest(asked=self.valid.edtf)
        return state.having(correction_requests=(*state.correction_requests, asked))


class CorrectionDecided(CustodyEvent):
    """The request is granted, or refused with its reason (訂正決定). The correction itself follows a granted one."""

    request: Ordinal
    granted: bool
    reason: Text | None = None
    decided_by: PartyId | None = None

    def violations(self, state: State, context: Context) -> Iterator[errors.RuleViolated]:
        asked = state.correction_requests
        if self.request > len(asked) or asked[self.request - 1].granted is not None:
            yield errors.RequestUnknown(given=self.request)
        if not self.granted and self.reason is None:
            yield errors.RefusalUnexplained()

    def evolve(self, state: Any) -> Any:
        known = list(state.correction_requests)
        if self.request <= len(known):
            known[self.request - 1] = known[self.request - 1].model_copy(update={"granted": self.granted})
        return state.having(correction_requests=tuple(known))


class DisclosureDecided(CustodyEvent):
    """What is disclosed on request, in which scope and on which basis (開示決定); never who asked."""

    number: Ordinal
    what: Text
    scope: Literal["FULL", "PARTIAL", "REFUSED", "NOT_HELD"]
    basis: Code | None = None
    reason: Text | None = None

    def violations(self, state: State, context: Context) -> Iterator[errors.RuleViolated]:
        if self.scope in {"PARTIAL", "REFUSED"} and self.basis is None and self.reason is None:
            yield errors.RefusalUnexplained()

    def evolve(self, state: Any) -> Any:
        return state.having(disclosure_decisions=state.disclosure_decisions + 1)


class PublicationWithdrawn(CustodyEvent):
    """A public text is taken from publication at once (公開取下げ); the log keeps its digest, the city its wording."""

    disclosure: Digest
    reason: Code
    note: StaffText | None = None

    def withdraws(self) -> Iterable[str]:
        return (self.disclosure,)


class AttachmentRegistered(CustodyEvent):
    """A document of the city's own files, by its SHA-256 (添付); `salted` where it could be guessed or is personal."""

    sha256: Sha256
    size: Bytes
    media_type: MediaType
    document_class: Code
    salted: bool = False
    title: Text | None = None
    target: Ordinal | None = None

    def check(self, state: State, context: Context) -> None:
        if self.sha256 in state.attachments:
            raise errors.AlreadyExists(what="attachment", name=self.sha256)

    def evolve(self, state: Any) -> Any:
        return state.having(attachments=(*state.attachments, self.sha256))


class RetentionSet(CustodyEvent):
    """The city's retention class of this record (保存年限); `term` None keeps it for ever."""

    retention_class: Code
    term: Duration | None = None
    counted_from: Edtf | None = None

    def evolve(self, state: Any) -> Any:
        return state.having(retention=self.retention_class)


class LegalHoldSet(CustodyEvent):
    """Nothing of this record may be disposed of or erased while the hold stands (廃棄停止)."""

    second_person: ClassVar[bool] = True
    hold: Ordinal
    basis: Code
    reason: StaffText | None = None

    def violations(self, state: State, context: Context) -> Iterator[errors.RuleViolated]:
        if self.hold != state.holds_set + 1:
            yield errors.NumberOutOfSequence(what="legal hold", given=self.hold, expected=state.holds_set + 1)

    def evolve(self, state: Any) -> Any:
        return state.having(holds=(*state.holds, self.hold), holds_set=state.holds_set + 1)


class LegalHoldReleased(CustodyEvent):
    """The hold is over (廃棄停止の解除)."""

    second_person: ClassVar[bool] = True
    hold: Ordinal

    def violations(self, state: State, context: Context) -> Iterator[errors.RuleViolated]:
        if self.hold not in state.holds:
            yield errors.HoldUnknown(given=self.hold)

    def evolve(self, state: Any) -> Any:
        return state.having(holds=tuple(hold for hold in state.holds if hold != self.hold))


class DisposalDecided(CustodyEvent):
    """The record's term is over: its documents go to the archives, or are disposed of (廃棄・移管の決定).

    DISPOSAL destroys every text of the record, those of this event too. TRANSFER destroys none: the archives take over
    the record as it stands and decide from then on what is kept, so that they need its texts.
    """

    second_person: ClassVar[bool] = True
    outcome: Literal["TRANSFER", "DISPOSAL"]
    basis: Code
    to: Text | None = None

    def violations(self, state: State, context: Context) -> Iterator[errors.RuleViolated]:
        if state.retention is None:
            yield errors.RetentionUnknown()
        if state.holds:
            yield errors.HoldForbids()

    def evolve(self, state: Any) -> Any:
        return state.having(disposed=True)

    def disposes(self) -> bool:
        return self.outcome == "DISPOSAL"


class SubjectErased(CustodyEvent):
    """A person's texts are destroyed with their key (個人情報の利用停止・消去); the digests stay in the log."""

    second_person: ClassVar[bool] = True
    subject: PartyId
    legal_basis: Code
    decided_by: PartyId | None = None
    note: StaffText | None = None

    def violations(self, state: State, context: Context) -> Iterator[errors.RuleViolated]:
        if state.holds:
            yield errors.HoldForbids()

    def erases(self) -> Iterable[str]:
        return (self.subject,)


class StewardshipTransferred(CustodyEvent):
    """The record goes on elsewhere, after a merger or with another owner (承継); here nothing more is added to it."""

    second_person: ClassVar[bool] = True
    from_city: Slug
    to_city: Slug
    reason: Code | None = None

    def violations(self, state: State, context: Context) -> Iterator[errors.RuleViolated]:
        if self.from_city == self.to_city:
            yield errors.StewardshipElsewhere(city=self.to_city)

    def evolve(self, state: Any) -> Any:
        return state.having(steward=self.to_city)
