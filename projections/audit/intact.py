"""Whether the log is intact, and whether what readers see is what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
import rfc8785

from projections.audit.findings import Findings, Level, Row, Words, from_rows, say
from projections.replay import check
from projections.worker import caught_up
from tenants.ledger.checkpoint import Checkpoint as Signed
from tenants.ledger.merkle import Frontier, leaf_hash
from tenants.ledger.note import NoteWrong, Verifier, opened

if TYPE_CHECKING:
    from projections.audit.evidence import Evidence

_SHOWN = 50
_PATIENCE = 10.0  # seconds that the read models may take to catch up before they count as behind


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A published checkpoint as it is stored."""

    size: int
    root: bytes
    note: str


@dataclass
class LogCheck:
    """Recomputes a log's Merkle tree (RFC 6962 §2.1) from its entries, beside everything that was stored about it.

    `head`: size and root as the city's head states them, None where the log is read to an earlier position.
    `differences`: position and what differs there, in order; each kind once for a position.
    """

    head: tuple[int, bytes] | None
    checkpoints: tuple[Checkpoint, ...]
    keys: tuple[str, ...]
    frontier: Frontier = field(default_factory=Frontier)
    root: bytes = field(default_factory=lambda: Frontier().root())
    size: int = 0
    differences: list[tuple[int, Words]] = field(default_factory=list)
    covered: int = 0
    _changed: bool = False
    _roots_differ: bool = False
    _unlike_published: bool = False
    _next: int = 0

    def add(self, position: int, entry: bytes, leaf: bytes, root: bytes) -> None:
        """The next stored event: its entry, and the leaf hash and root that were stored with it."""
        expected = self.size + 1
        if position != expected:
            self._differs(expected, Words("この位置の記録がありません", "the entry is missing"))
            self._changed = True
        self.size = position
        computed = leaf_hash(entry)
        if computed != leaf:
            self._changed = True
            self._differs(
                position,
                Words("記録の内容が、記録した時のハッシュと一致しません", "the entry is not the one that was hashed"),
            )
        elif not _is_canonical(entry):
            self._differs(position, Words("正規のJSON(RFC 8785)ではありません", "it is not canonical JSON (RFC 8785)"))
        self.frontier = self.frontier.append(computed)
        self.root = self.frontier.root()
        # After a first difference all roots differ, which says nothing more.
        if self.root != root and not self._roots_differ and not self._changed:
            self._roots_differ = True
            self._differs(position, Words("保存されたルートと一致しません", "the stored root differs from here on"))
        self._compare_checkpoints()

    def damaged(self, position: int) -> None:
        """An entry that cannot even be hashed, as what was stored is no text; nothing behind it is read."""
        self._differs(position, Words("記録の内容が読めません", "the entry is damaged and cannot be read"))
        self._changed = True

    def close(self) -> None:
        """After the last event: the head, and checkpoints of more entries than there are."""
        if self.head is not None and self.head[0] != self.size:
            text = "台帳の大きさは{head}件とされていますが、{size}件しかありません"
            self._differs(
                min(self.size, self.head[0]) + 1,
                say(text, "the head states {head} entries, there are {size}", head=self.head[0], size=self.size),
            )
        elif self.head is not None and self.head[1] != self.root and not self.differences:
            self._differs(self.size, Words("台帳のルートと一致しません", "the root of the head differs"))
        for beyond in self.checkpoints[self._next :]:
            text = "公開された{n}件までの署名に対し、記録は{size}件しかありません"
            self._differs(
                self.size + 1,
                say(text, "a checkpoint of {n} entries is published, there are {size}", n=beyond.size, size=self.size),
            )
            break
        if self.checkpoints and (wrong := self._wrong_signature(self.checkpoints[-1])):
            self._differs(self.checkpoints[-1].size, wrong)
        self.differences.sort(key=lambda difference: difference[0])

    @property
    def published(self) -> Checkpoint | None:
        """The latest checkpoint."""
        return self.checkpoints[-1] if self.checkpoints else None

    def _compare_checkpoints(self) -> None:
        while self._next < len(self.checkpoints) and self.checkpoints[self._next].size <= self.size:
            published = self.checkpoints[self._next]
            self._next += 1
            if published.size == self.size and published.root == self.root:
                self.covered = published.size
            elif not self._changed and not self._unlike_published:
                self._unlike_published = True
                first = self.covered + 1
                self._differs(
                    first,
                    say(
                        "{first}件目から{last}件目までのどこかが、公開された署名つきのルートと一致しません",
                        "somewhere between no. {first} and no. {last} it differs from the published checkpoint",
                        first=first,
                        last=published.size,
                    ),
                )

    def _wrong_signature(self, published: Checkpoint) -> Words | None:
        try:
            text, _ = opened(published.note, [Verifier.of(key) for key in self.keys])
            signed = Signed.of(text)
        except NoteWrong as wrong:
            return say("最新の署名を確認できません({why})", "the latest checkpoint: {why}", why=str(wrong))
        if (signed.size, signed.root) != (published.size, published.root):
            return Words("最新の署名の内容が保存された値と違います", "the latest checkpoint signs something else")
        return None

    def _differs(self, position: int, what: Words) -> None:
        self.differences.append((position, what))


def _is_canonical(entry: bytes) -> bool:
    try:
        return rfc8785.dumps(orjson.loads(entry)) == entry
    except (orjson.JSONDecodeError, rfc8785.CanonicalizationError):
        return False


def is_the_log_intact(evidence: Evidence) -> Findings:
    """Every leaf and root computed afresh; compared with what was stored, the head, and the published checkpoints."""
    log = evidence.log
    if log.differences:
        first = log.differences[0][0]
        rows = (Row(Level.FINDING, "", position, what) for position, what in log.differences[:_SHOWN])
        sentence = say(
            "台帳は記録された時のままではありません。最初に食い違うのは{first}件目です。",
            "The log is not as it was recorded. The first position that differs is no. {first}.",
            first=first,
        )
        return from_rows(sentence, rows)
    parts = say(
        "{n}件すべてを計算し直し、葉・ルート・台帳の先頭と一致しました。",
        "All {n} entries were hashed anew; leaves, roots and head agree.",
        n=log.size,
    )
    if log.published is None:
        return Findings(
            Level.NOTE,
            say(
                "{parts}署名つきの公開はまだないため、データベースの所有者による全体の書き換えは排除できません。",
                "{parts} No signed checkpoint is published yet, so that a rewriting of the whole by the owner of the"
                " database cannot be excluded.",
                parts=parts,
            ),
        )
    later = log.size - log.published.size
    sentence = say(
        "{parts}署名つきで公開された{size}件目までのルート({count}回分)とも一致しました。",
        "{parts} They agree with what was published, too: {count} signed checkpoints, the latest of {size} entries.",
        parts=parts,
        size=log.published.size,
        count=len(log.checkpoints),
    )
    if later:
        sentence = say(
            "{sentence}その後の{later}件は、まだ署名の対象ではありません。",
            "{sentence} Entries after it are not signed yet: {later}.",
            sentence=sentence,
            later=later,
        )
    return Findings(Level.OK, sentence)


def do_the_read_models_equal_a_replay(evidence: Evidence) -> Findings:
    """Every version of every row that readers see, against a fresh fold of the log."""
    lag = caught_up(evidence.database, evidence.tenant, seconds=_PATIENCE)
    if lag.error is not None:
        sentence = say(
            "公開用の表は{position}件目で止まっています({error})。",
            "The read models stopped at no. {position} ({error}).",
            position=lag.position,
            error=lag.error,
        )
        return Findings(Level.FINDING, sentence)
    if evidence.altered is not None:
        sentence = say(
            "公開されている文が、記録にあるダイジェストと一致しません({why})。",
            "A public text is not the one of which the log holds the digest ({why}).",
            why=evidence.altered,
        )
        return Findings(Level.FINDING, sentence)
    differences = check(evidence.database, evidence.keys, evidence.tenant)
    rows = (Row(Level.FINDING, f"{d.model}", None, Words(str(d), str(d))) for d in differences[:_SHOWN])
    if differences:
        sentence = say(
            "公開用の表が、記録からの再計算と{n}か所で違います。",
            "The read models differ from a replay in {n} places.",
            n=len(differences),
        )
        return from_rows(sentence, rows)
    if lag.position < evidence.log.size:
        sentence = say(
            "{position}件目までは再計算と一致します。残りはまだ公開用の表に反映されていません。",
            "They equal a replay up to no. {position}; what follows is not projected yet.",
            position=lag.position,
        )
        return Findings(Level.NOTE, sentence)
    sentence = Words(
        "公開用の表の、すべての行のすべての版が、記録からの再計算と一致しました。",
        "Every version of every row that readers see equals a replay of the log.",
    )
    return Findings(Level.OK, sentence)
