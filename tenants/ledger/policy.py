"""Which outside witnesses are known, and how many of them must have seen a checkpoint (C2SP tlog-policy)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tenants.ledger.note import COSIGNATURE, NoteWrong, Verifier

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

_NONE = "none"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_COUNT = re.compile(r"[1-9][0-9]{0,8}")
_ADDRESS = re.compile(r"https?://(?:[^\s/?#@:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[^\s?#]*)?")


class PolicyWrong(Exception):
    """The witness policy cannot be read; its format is C2SP tlog-policy."""


@dataclass(frozen=True)
class Witness:
    """An outside witness: the key of its cosignatures, and where it takes checkpoints, if it is known."""

    name: str
    key: Verifier
    url: str | None


@dataclass(frozen=True)
class Policy:
    """The witnesses and their quorum; by default there is none and none is needed."""

    witnesses: tuple[Witness, ...] = ()
    groups: Mapping[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    quorum: str = _NONE

    @classmethod
    def of(cls, text: str) -> Policy:
        """Read a policy file; PolicyWrong names the line."""
        reader = _Reader()
        for number, line in enumerate(text.split("\n"), start=1):
            try:
                reader.take(line)
            except (NoteWrong, ValueError) as wrong:
                raise PolicyWrong(f"line {number}: {wrong}. {PolicyWrong.__doc__}") from wrong
        if reader.quorum is None:
            raise PolicyWrong(f"the quorum line is missing. {PolicyWrong.__doc__}")
        return cls(tuple(reader.witnesses.values()), reader.groups, reader.quorum)

    def satisfied(self, cosigned_by: AbstractSet[Verifier]) -> bool:
        """Whether the quorum has seen a checkpoint that these keys cosigned."""
        return self.quorum == _NONE or self._has_seen(self.quorum, cosigned_by)

    def _has_seen(self, name: str, cosigned_by: AbstractSet[Verifier]) -> bool:
        if name in self.groups:
            threshold, members = self.groups[name]
            return sum(self._has_seen(member, cosigned_by) for member in members) >= threshold
        return any(witness.name == name and witness.key in cosigned_by for witness in self.witnesses)


class _Reader:
    """Takes a policy line by line: names must be known before they are used."""

    def __init__(self) -> None:
        self.witnesses: dict[str, Witness] = {}
        self.groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.quorum: str | None = None
        self._logs: set[bytes] = set()
        self._members: set[str] = set()

    def take(self, line: str) -> None:
        if _CONTROL.search(line):
            raise ValueError("a line holds no control characters but tabs, so that it ends in a newline alone")
        # Space and tab only: any other space of Unicode is part of a name.
        words = re.findall(r"[^ \t]+", line)
        if words and not words[0].startswith("#"):
            self._take(words)

    def _take(self, words: list[str]) -> None:
        match words:
            case ["log", vkey, *rest] if len(rest) <= 1:
                self._log(Verifier.of(vkey))
            case ["witness", name, vkey, *rest] if len(rest) <= 1:
                self._witness(name, Verifier.of(vkey), rest[0] if rest else None)
            case ["group", name, threshold, *members] if members:
                self._group(name, threshold, members)
            case ["quorum", name] if self.quorum is None:
                self._known(name, *([_NONE] if name == _NONE else []))
                self.quorum = name
            case _:
                raise ValueError(f"{' '.join(words)!r} is no log, witness, group or quorum line, or comes twice")

    def _log(self, key: Verifier) -> None:
        if key.public in self._logs:
            raise ValueError(f"the key of log {key.name} is listed twice")
        self._logs.add(key.public)

    def _witness(self, name: str, key: Verifier, url: str | None) -> None:
        self._unused(name)
        if key.kind != COSIGNATURE:
            raise ValueError(f"the key of witness {name} is not one of cosignatures")
        if any(known.key.public == key.public for known in self.witnesses.values()):
            raise ValueError(f"the key of witness {name} is listed twice")
        if url is not None and not (_ADDRESS.fullmatch(url) and urlsplit(url).port != 0):
            raise ValueError(f"{url!r} is not an address of the form https://host/path")
        self.witnesses[name] = Witness(name, key, url.rstrip("/") if url else None)

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        self._unused(name)
        for member in members:
            self._known(member)
            # Else one witness could count for two.
            if member in self._members:
                raise ValueError(f"{member} is a member of a group already")
            self._members.add(member)
        count = {"any": 1, "all": len(members)}.get(threshold, 0)
        if _COUNT.fullmatch(threshold):
            count = int(threshold)
        if not 1 <= count <= len(members):
            raise ValueError(f"group {name} cannot need {threshold} of {len(members)}")
        self.groups[name] = (count, tuple(members))

    def _unused(self, name: str) -> None:
        if name in {_NONE, *self.witnesses, *self.groups}:
            raise ValueError(f"the name {name} is taken")

    def _known(self, name: str, *others: str) -> None:
        if name not in {*self.witnesses, *self.groups, *others}:
            raise ValueError(f"{name} is not defined on an earlier line")
