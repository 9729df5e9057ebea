"""Verify a log of Kyōdō Ledger: python3 verify.py TARGET [--key KEY] [--policy FILE] [--keep FOLDER] …

TARGET is a log (http://host/log/yamato), a service (http://host), one proof (http://host/log/yamato/proof/7 or a
.tlog-proof file), an archive (.tar.gz) or the folder of an unpacked one. An archive is unpacked into a temporary
folder (TMPDIR), so it needs that much disk; memory holds 32 bytes for 256 entries and one number for each stream.

What it establishes, step by step, with no database and no trust in the server:
   1 whose key is trusted, and why      7 nothing changed since an earlier visit
   2 the key signed the checkpoint      8 the root log of all cities holds this checkpoint
   3 witnesses saw the same one         9 the values a reader holds are those that were recorded
   4 the entries are the signed ones   10 the archive is whole
   5 the served hash tiles fit them    11 a time-stamp authority saw the root log (not checked here)
   6 every entry is well-formed

What it cannot: whether what was recorded is true, what was never recorded, what was changed before the first
checkpoint that anyone kept, and, without witnesses, whether others are shown another log.

This file stands alone: Python 3.11, no package, and on purpose no code of the service.
Exit code 0: verified; 1: not verified; 2: nothing to judge, and what to do.
Formats: c2sp.org/tlog-tiles, signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy, tlog-proof; RFC 8785, 9162.
"""

# ruff: noqa: PLR2004 (sizes and ranges of the formats, each beside the text that names them)

from __future__ import annotations

import argparse
import gc
import gzip
import http.client
import json
import math
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tarfile
import tempfile
import time
import zlib
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from hashlib import file_digest, sha256, sha512
from itertools import compress, islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import HTTPRedirectHandler, Request, build_opener

Ranges = tuple[tuple[int, int], ...]  # positions from the first to the last, both included
TILE, HASH = 256, 32  # hashes in a full tile, bytes in a hash
MAX_ENTRY, MAX_NOTE, MAX_BUNDLE = 65_535, 1 << 20, TILE * 65_537  # bytes
OK, FAILED, NOT_CHECKED = "OK", "FAILED", "NOT CHECKED"


class Refused(Exception):
    """The evidence does not fit. `args` are what does not, a line each, and the positions that it is about."""

    def __init__(self, why: str, positions: Iterable[tuple[int, int]] = ()) -> None:
        super().__init__(why, positions)
        self.why, self.positions = why, positions


class CannotCheck(Exception):
    """There is nothing to judge: wrong usage, or an answer that does not come. The text says what to do."""


class Skipped(Exception):
    """A step cannot be taken here; the text says why."""


@dataclass(frozen=True)
class Step:
    """One step: what it establishes, how it came out, and which positions (first and last) do not hold."""

    number: int
    title: str
    establishes: str
    outcome: str
    details: tuple[str, ...] = ()
    positions: Ranges = ()


@dataclass(frozen=True)
class Report:
    """The steps of one log or proof; of a service, one part for each of its logs."""

    target: str
    origin: str = ""
    size: int = 0
    root: str = ""
    steps: tuple[Step, ...] = ()
    parts: tuple[Report, ...] = ()

    @property
    def verified(self) -> bool:
        parts = all(part.verified for part in self.parts)
        return bool(self.steps or self.parts) and parts and all(step.outcome != FAILED for step in self.steps)

    @property
    def positions(self) -> Ranges:
        """Every position that some step names, merged."""
        return merged(each for part in (self, *self.parts) for step in part.steps for each in step.positions)

    def names(self, position: int) -> bool:
        """Whether some step names this position."""
        return any(first <= position <= last for first, last in self.positions)


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The ranges in order, those that touch joined."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def spoken(ranges: Sequence[tuple[int, int]]) -> str:
    """`position 7`, or `positions 7, 9 to 12 and 300 more ranges`."""
    parts = [str(first) if first == last else f"{first} to {last}" for first, last in ranges[:20]]
    more = f" and {len(ranges) - 20} more ranges" if len(ranges) > 20 else ""
    return f"position{'' if parts == [str(ranges[0][0])] else 's'} {', '.join(parts)}{more}"


# ---- Ed25519: RFC 8032 §5.1. Only verification, which handles no secret and so may take its time.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]  # extended homogeneous coordinates (§5.1.4)


def decoded_point(data: bytes) -> Point:
    """The point of 32 bytes; Refused unless it is one, in its only encoding (§5.1.3)."""
    number = int.from_bytes(data, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise Refused("a key or a signature holds no point of Ed25519")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def added(p: Point, q: Point) -> Point:
    """The sum of two points (§5.1.4)."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiplied(p: Point, by: int, q: Point, and_by: int) -> Point:
    """The sum of two points, each added up so many times: doubled for every bit of both numbers at once."""
    total, sums = (0, 1, 1, 0), (None, p, q, added(p, q))
    for bit in reversed(range(max(by, and_by).bit_length())):
        total = added(total, total)
        if (found := sums[by >> bit & 1 | (and_by >> bit & 1) << 1]) is not None:
            total = added(total, found)
    return total


BASE = decoded_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


@cache
def ed25519_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is the key's over the message (§5.1.7): s < L, and S·B - k·A = R without the cofactor."""
    if len(signature) != 64 or len(public) != 32:
        return False
    s = int.from_bytes(signature[32:], "little")
    try:
        r, a = decoded_point(signature[:32]), decoded_point(public)
    except Refused:
        return False
    k = int.from_bytes(sha512(signature[:32] + public + message).digest(), "little") % L
    x, y, z, _ = multiplied(BASE, s, (-a[0] % P, a[1], a[2], -a[3] % P), k)  # S·B - k·A
    return s < L and (x - r[0] * z) % P == 0 == (y - r[1] * z) % P


# ---- Signed notes, checkpoints and proofs: c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof.

SIGNS, COSIGNS, COSIGNS_ML_DSA = 1, 4, 6  # signature types: a note, a checkpoint at a time, the same with ML-DSA-44


@dataclass(frozen=True)
class Key:
    """A verifier key: name, id (4 bytes), signature type and public key."""

    name: str
    id: bytes
    kind: int
    public: bytes

    @property
    def text(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(bytes([self.kind]) + self.public).decode()}"


@dataclass(frozen=True)
class Note:
    """A text with its signatures: key name, key id, signature, and the line it stood in."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes, str], ...]

    def __str__(self) -> str:
        return "".join([self.text, "\n", *(f"{line}\n" for *_, line in self.signatures)])


@dataclass(frozen=True)
class Checkpoint:
    """What a log says it is: its origin, its size, the root of its tree, in the note that says so."""

    origin: str
    size: int
    root: bytes
    note: Note


@dataclass(frozen=True)
class Proof:
    """That an entry, which `extra` holds, has this index in the checkpoint's tree."""

    extra: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint


def base64(text: str, what: str) -> bytes:
    """RFC 4648 §4 in its only form."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        data = b""
    if b64encode(data).decode("ascii") != text:
        raise Refused(f"{what} is not base64")
    return data


def parse_key(line: str) -> Key:
    """<name>+<id in hex>+<base64 of type and key>; the id must be the one that name and key give."""
    name, _, rest = line.strip().partition("+")
    key_id, _, material = rest.partition("+")
    data = base64(material, f"the verifier key of {name or 'nobody'}")
    expected = sha256(f"{name}\n".encode() + data).digest()[:4]
    sizes = {SIGNS: 33, COSIGNS: 33, COSIGNS_ML_DSA: 1313}
    if not named(name) or not data or sizes.get(data[0]) != len(data) or key_id != expected.hex():
        raise Refused(f"{line.strip()[:80]!r} is no verifier key of the form name+id+key")
    return Key(name, expected, data[0], data[1:])


def named(name: str) -> bool:
    """Whether it may name a key: not empty, no Unicode space, no plus."""
    return bool(name) and "+" not in name and not any(map(str.isspace, name))


def parse_note(data: bytes) -> Note:
    """A note and its signatures, none of them verified yet."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise Refused("the note is not UTF-8") from wrong
    body, blank, lines = text.rpartition("\n\n")
    if not blank or not lines.endswith("\n") or re.search("[\x00-\x09\x0b-\x1f]", text):
        raise Refused("this is no signed note: a text, an empty line, and signature lines")
    signatures = []
    for line in lines[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, signature = rest.partition(" ")
        raw = base64(signature, "a signature of the note")
        if dash != "—" or not named(name) or len(raw) < 5:
            raise Refused(f"{line[:60]!r} is no signature line")
        signatures.append((name, raw[:4], raw[4:], line))
    return Note(body + "\n", tuple(signatures))


def signers(note: Note, keys: Iterable[Key]) -> dict[str, str]:
    """The verifier keys that signed, each with what it says; Refused when a signature of one of them does not hold."""
    found: dict[str, str] = {}
    known = {(key.name, key.id): key for key in keys}
    for name, key_id, signature, _ in note.signatures:
        key = known.get((name, key_id))
        if key is None or key.kind == COSIGNS_ML_DSA:
            continue  # "Verifiers MUST ignore signatures from unknown keys"; ML-DSA would need a library.
        message, proper, said = note.text, signature, "signed it"
        if key.kind == COSIGNS:
            moment, proper = int.from_bytes(signature[:8], "big"), signature[8:]
            message, said = f"cosignature/v1\ntime {moment}\n{note.text}", f"saw it at {utc(moment)}"
        if not ed25519_holds(key.public, message.encode(), proper):
            raise Refused(f"the signature of {name} does not hold: the note was altered, or another key signed it")
        found[key.text] = said
    return found


def utc(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(min(moment, 253402300799)))  # the end of 9999


def parse_checkpoint(data: bytes) -> Checkpoint:
    """Origin, size and root in base64, a line each, and possibly extension lines; none of it verified yet."""
    note = parse_note(data)
    origin, size, root, *more = [*note.text[:-1].split("\n"), "", ""]
    digest = base64(root, "the root of the checkpoint")
    if not origin or not re.fullmatch("0|[1-9][0-9]{0,17}", size) or len(digest) != HASH or "" in more[:-2]:
        raise Refused("this is no checkpoint: origin, size and root, a line each")
    return Checkpoint(origin, int(size), digest, note)


def parse_proof(data: bytes) -> Proof:
    """A tlog-proof with the entry as its extra data; nothing of it verified yet."""
    head, _, checkpoint = data.partition(b"\n\n")
    first, *lines = head.decode("ascii", "replace").split("\n")
    extra = base64(lines.pop(0)[6:], "the extra data of the proof") if lines and lines[0].startswith("extra ") else b""
    index = lines.pop(0) if lines else ""
    if first != "c2sp.org/tlog-proof@v1" or not re.fullmatch("index (0|[1-9][0-9]{0,17})", index):
        raise Refused("this is no tlog-proof, version 1")
    path = tuple(base64(line, "a hash of the proof") for line in lines)
    return Proof(extra, int(index[6:]), path, parse_checkpoint(checkpoint))


@dataclass(frozen=True)
class Policy:
    """c2sp.org/tlog-policy: logs, witnesses by name, groups as (how many, of whom), and whom the quorum names."""

    logs: list[Key]
    witnesses: dict[str, Key]
    groups: dict[str, tuple[int, list[str]]]
    quorum: str

    def met(self, signed: Iterable[str], name: str) -> bool:
        """Whether this witness or group, as a rule the quorum, saw what these keys signed."""
        if name in self.groups:
            least, members = self.groups[name]
            return sum(self.met(signed, member) for member in members) >= least
        return name == "none" or self.witnesses[name].text in signed


def parse_policy(text: str) -> Policy:
    """A policy file; CannotCheck names the line that is wrong. No group may take what another one has taken."""
    logs, witnesses, groups, quorums = list[Key](), dict[str, Key](), dict[str, tuple[int, list[str]]](), list[str]()
    free = set[str]()
    for number, line in enumerate(text.split("\n"), start=1):
        known, right = {"none", *witnesses, *groups}, True
        try:
            match line.split():
                case ["log", key, *url] if len(url) <= 1:
                    logs.append(parse_key(key))
                    right = logs[-1].kind == SIGNS
                case ["witness", name, key, *url] if len(url) <= 1 and name not in known:
                    witnesses[name] = parse_key(key)
                    free.add(name)
                    right = witnesses[name].kind != SIGNS
                case ["group", name, count, *members] if name not in known and len(free.intersection(members)) == len(
                    members
                ):
                    least = {"any": 1, "all": len(members)}.get(count) or int(count if count.isdecimal() else 0)
                    groups[name], free = (least, members), free.difference(members) | {name}
                    right = 1 <= least <= len(members)
                case ["quorum", name] if not quorums and name in known:
                    quorums.append(name)
                case [first, *_] if not first.startswith("#"):
                    right = False
        except Refused as wrong:
            raise CannotCheck(f"line {number} of the policy: {wrong.why}") from wrong
        if not right:
            raise CannotCheck(f"line {number} of the policy is not understood, or names what it may not: {line[:60]!r}")
    if not quorums or any(len({key.public for key in keys}) < len(keys) for keys in (logs, witnesses.values())):
        raise CannotCheck("the policy lists a public key twice, or has no line `quorum <name>` or `quorum none`")
    return Policy(logs, witnesses, groups, quorums[0])


# ---- Merkle trees: RFC 9162 §2.1, the same as RFC 6962 §2.1.


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def tree_root(hashes: Sequence[bytes]) -> bytes:
    """The root over these leaves, or over perfect subtrees of one size and a smaller last one (§2.1.1).

    Hashing in pairs, level by level, an odd last one passed up as it is, gives the split of the definition.
    """
    while len(hashes) > 1:
        odd = hashes[len(hashes) & ~1 :]
        hashes = [sha256(b"\x01" + a + b).digest() for a, b in zip(hashes[::2], hashes[1::2], strict=False)]
        hashes.extend(odd)
    return hashes[0] if hashes else sha256().digest()


def included(index: int, size: int, leaf: bytes, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path leads from the leaf to the root (§2.1.3.2)."""
    if not 0 <= index < size or any(len(each) != HASH for each in (leaf, root, *path)):
        return False
    node, at, last = leaf, index, size - 1
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = tree_root((sibling, node))
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = tree_root((node, sibling))
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


# ---- Canonical JSON: RFC 8785.

MAX_DEPTH = 256  # arrays and objects in one another
PLAIN = bytes(set(range(0x20, 0x7F)) - {ord("\\")})  # what stands in a string as it is
STRING, INTEGER = '"[^"]*+"', "(?!0[0-9])[0-9]{1,15}+"  # in plain text; digits that a double holds exactly


def exact(digits: str) -> int:
    """An integer that every double holds; ValueError for others, and for numbers that are none."""
    if len(digits) > 15:
        raise ValueError(digits)
    return int(digits)


# For plain text with such integers alone, Python's own writer writes what RFC 8785 says.
READ = json.JSONDecoder(parse_int=exact, parse_float=exact, parse_constant=exact).decode
WRITE = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def canonical_value(entry: bytes) -> Any:
    """The value of canonical JSON; Refused otherwise."""
    try:
        if not entry.translate(None, PLAIN) and entry.count(b"[") + entry.count(b"{") <= MAX_DEPTH:
            text = entry.decode("ascii")
            value = READ(text)
            if WRITE(value) == text:
                return value
    except (ValueError, RecursionError):
        pass  # What is wrong with it, the plain way says.
    try:
        value = json.loads(entry.decode("utf-8"))
        if canonical(value).encode("utf-8") == entry:
            return value
    except (ValueError, RecursionError, OverflowError) as wrong:
        raise Refused(f"it is not JSON: {wrong}") from wrong
    raise Refused("its JSON is not canonical")


def canonical(value: Any, depth: int = 0) -> str:
    """The value as RFC 8785 writes it: members sorted by UTF-16, numbers as ECMAScript prints doubles."""
    if depth > MAX_DEPTH:
        raise Refused(f"it is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{canonical(k)}:{canonical(v, depth + 1)}" for k, v in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(each, depth + 1) for each in value) + "]"
    if isinstance(value, str):
        if "\0" in value:
            raise Refused("a text holds the character NUL")
        return json.dumps(value, ensure_ascii=False)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return number_text(float(value))


def number_text(value: float) -> str:
    """Number::toString of ECMA-262 §6.1.6.1.20; Python's repr() finds the same shortest digits."""
    if value in {float("inf"), float("-inf")} or value != value:  # noqa: PLR0124 - only NaN is not itself
        raise Refused("a number is not finite")
    if value <= 0:
        return "-" + number_text(-value) if value else "0"
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - len(whole + fraction) + len(digits)
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    return f"{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{point - 1:+d}"


@dataclass
class Shape:
    """What some canonical values have in common, and a regular expression for plain texts of which all are canonical.

    Most entries look like others before them, and then need no parsing. Learned from plain texts only, so that no name
    of a member holds a quotation mark. Of groups none is possessive: Python before 3.11.5 lets wrong texts through.
    """

    scalars: set[str] = field(default_factory=set)  # expressions
    items: Shape | None = None  # of arrays
    members: dict[str, Shape] | None = None  # of objects
    objects: int = 0
    count: int = 0  # values

    def add(self, value: Any, depth: int = 0) -> None:
        """Let values like this one in, unless they are too deep to be worth it."""
        self.count += 1
        if depth > DEEP:
            return
        if isinstance(value, dict):
            self.objects += 1
            self.members = self.members or {}
            for name, each in value.items():
                self.members.setdefault(name, Shape()).add(each, depth + 1)
        elif isinstance(value, list):
            self.items = self.items or Shape()
            for each in value:
                self.items.add(each, depth + 1)
        elif value is None or isinstance(value, bool):
            self.scalars.add(canonical(value))
        else:
            self.scalars.add(STRING if isinstance(value, str) else INTEGER)

    def expression(self) -> str:
        """The regular expression; it matches nothing where nothing was let in."""
        found = sorted(self.scalars)
        if self.items is not None:
            # Each behind a comma, but for what stands right behind the bracket.
            item = rf"(?:(?:(?<=\[)|(?<!\[),){self.items.expression()})*" if self.items.count else ""
            found.append(rf"\[{item}\]")
        if self.members is not None and len(self.members) <= WIDE:
            # In the order of their names, each behind a comma, but for what stands right behind the brace.
            inner, comma, behind = "", "", r"(?:(?<=\{)|(?<!\{),)"
            for name, each in sorted(self.members.items()):
                member = f'{comma}"{re.escape(name)}":{each.expression()}'
                always = each.count == self.objects
                inner += member if always else f"(?:{member})?"
                comma = "," if always or comma == "," else behind
            found.append(rf"\{{{inner}\}}")
        return f"(?:{'|'.join(found)})" if found else "(?!)"


DEEP, WIDE = 12, 64  # levels and members of an object, beyond which matching is not worth it


# ---- Where a log is read: the web, or a folder in the same layout (c2sp.org/tlog-tiles).

TIMEOUT, TRIES, PROGRESS = 30, 4, 2  # seconds, times, seconds


@dataclass(frozen=True)
class Folder:
    """An unpacked archive, or what was kept of an earlier visit."""

    root: Path

    def read(self, path: str, limit: int) -> bytes | None:
        """The bytes of a file; None where there is none; Refused when it is larger than `limit`."""
        try:
            with open(f"{self.root}/{path}", "rb", buffering=0) as file:  # noqa: PTH123 - a Path costs more than reading
                if os.fstat(file.fileno()).st_size > limit:
                    raise Refused(f"{path} has more than {limit} bytes")
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None


class NoRedirect(HTTPRedirectHandler):
    """Answers with the redirect itself: what another address shows was not asked for."""

    def redirect_request(self, *_: Any) -> None:
        return None


OPENER = build_opener(NoRedirect)


@dataclass(frozen=True)
class Web:
    """A log served over HTTP under a prefix."""

    prefix: str

    def read(self, path: str, limit: int) -> bytes | None:
        """The body; None for 404; Refused when it is larger than `limit`; CannotCheck when no answer comes."""
        url, problem = f"{self.prefix}/{path}", ""
        for attempt in range(TRIES):
            time.sleep(attempt * attempt / 4)
            try:
                body = answered(url, limit)
            except HTTPError as refusal:
                said = b""
                with refusal, suppress(OSError, http.client.HTTPException):
                    said = refusal.read(MAX_NOTE)
                if refusal.code in {404, 410}:
                    return None
                problem = f"it answers {refusal.code}{reason(said)}{elsewhere(refusal)}"
                if refusal.code not in {429, 500, 502, 503, 504}:
                    break
            except (OSError, http.client.HTTPException, ValueError) as broken:
                problem = str(getattr(broken, "reason", broken)) or type(broken).__name__
            else:
                if len(body) > limit:
                    raise Refused(f"{url} has more than {limit} bytes")
                return body
        if path.startswith("tile/") and problem.startswith("it answers"):
            raise Refused(f"the log does not give {path}, which its checkpoint covers: {problem}")
        raise CannotCheck(f"{url} cannot be read: {problem}. Check the address and the connection, then try again.")


def reason(body: bytes) -> str:
    """What a problem document (RFC 9457) says, in brackets."""
    try:
        return f" ({json.loads(body)['detail']})"
    except (ValueError, KeyError, TypeError):
        return ""


def elsewhere(refusal: HTTPError) -> str:
    """Where a redirect leads."""
    to = refusal.headers.get("Location")
    return f" and sends us on to {to}. If that is the log, give that address" if to else ""


def answered(url: str, limit: int) -> bytes:
    """One try: up to limit + 1 bytes. A cached old checkpoint would look like a log that went back."""
    fresh = {} if "/tile/" in url else {"Cache-Control": "no-cache"}
    request = Request(url, headers=fresh)  # noqa: S310 - http or https
    with OPENER.open(request, timeout=TIMEOUT) as answer:
        body, length = bytes(answer.read(limit + 1)), answer.headers.get("Content-Length")
        if length is not None and len(body) < min(int(length), limit + 1):
            raise ConnectionError("the answer broke off")
        return body


Source = Folder | Web


def tile_path(level: int | str, number: int, width: int = TILE) -> str:
    """tile/<level>/<number>[.p/<width>]; the number in groups of three digits, all but the last with an x."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03}")
    return f"tile/{level}/{'/'.join(groups)}{'' if width == TILE else f'.p/{width}'}"


def read_tile(source: Source, level: int, number: int, width: int) -> bytes:
    """The first `width` hashes of a tile, of the full one where the partial one is gone; none when neither is there."""
    for each in dict.fromkeys((width, TILE)):
        data = source.read(tile_path(level, number, each), TILE * HASH)
        if data is not None:
            return data[: width * HASH] if len(data) == each * HASH else b""
    return b""


def read_bundle(source: Source, number: int, width: int) -> list[bytes]:
    """Up to `width` entries of a bundle, each behind its length; fewer when it is cut off or not there."""
    partial = source.read(tile_path("entries", number, width), MAX_BUNDLE)
    data = partial if partial is not None or width == TILE else source.read(tile_path("entries", number), MAX_BUNDLE)
    data, entries, end = data or b"", list[bytes](), 0
    try:
        for _ in range(width):
            start = end + 2
            end = start + (data[end] << 8 | data[end + 1])
            entries.append(data[start:end])
    except IndexError:
        pass  # cut off
    if end > len(data):
        entries.pop()
    elif partial is not None and len(entries) == width and end < len(data):
        raise Refused(f"{tile_path('entries', number, width)} goes on after its last entry")
    return entries


def slices(tile: bytes) -> list[bytes]:
    return [tile[at : at + HASH] for at in range(0, len(tile), HASH)]


def unlike(ours: bytes, theirs: bytes, before: int) -> Ranges:
    """The positions at which two level-0 tiles differ, as far as both go; `before` positions lie before them."""
    if ours == theirs:
        return ()
    pairs = zip(slices(ours), slices(theirs), strict=False)
    return merged((at, at) for at, (a, b) in enumerate(pairs, start=before + 1) if a != b)


# ---- The scan: every entry read, hashed, compared and parsed once, by as many processes as there are.

MEMBERS = ("actor", "approved_by", "data", "document_ref", "mode", "position", "programme", "recorded_at",
           "recorded_by", "schema_version", "signatories", "stream", "tenant", "type", "version")  # fmt: skip
MOMENT = ("[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
          "T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{6}Z")  # fmt: skip
COLUMNS = {"position": f"({INTEGER})", "recorded_at": f'"({MOMENT})"', "stream": '"([^"]*+)"', "tenant": '"([^"]*+)"',
           "version": f"({INTEGER})"}  # fmt: skip
Row = tuple[str, ...]  # what the scan compares of an event: these members of it, in this order, as texts


@dataclass(frozen=True)
class Job:
    """The bundles from `first` up to `end` of a log of `size` entries, and what to compare and keep on the way."""

    source: Source
    size: int
    of_root: bool
    kept: Folder | None = None
    kept_size: int = 0
    fresh: Path | None = None  # where to write the level-0 tiles that are not yet kept
    digests: tuple[bytes, ...] = ()  # to look for
    form: bool = True  # whether the entries' form is looked at
    first: int = 0
    end: int = 0


@dataclass
class Found:
    """What a job, or all of them together, found. Pairs are positions from the first to the last."""

    roots: list[bytes] = field(default_factory=list)  # of each bundle's entries
    served: dict[int, bytes] = field(default_factory=dict)  # the roots of the served tiles that differ from them
    missing: list[tuple[int, int]] = field(default_factory=list)  # entries
    no_tile: list[tuple[int, int]] = field(default_factory=list)
    altered: list[tuple[int, int]] = field(default_factory=list)  # the entry's hash is not the one in the tile
    unlike_kept: list[tuple[int, int]] = field(default_factory=list)
    odd: list[tuple[int, str]] = field(default_factory=list)  # a position and what is wrong with its entry
    seen: list[tuple[bytes, int]] = field(default_factory=list)  # a digest and the position of its entry
    checkpoints: list[tuple[str, int, int, bytes]] = field(default_factory=list)  # origin, position, size, root
    begun: dict[str, tuple[int, int]] = field(default_factory=dict)  # stream: version and position met first
    newest: dict[str, int] = field(default_factory=dict)  # stream: version met last
    holes: bool = False  # an entry is missing or cannot be read
    tenant: str | None = None
    times: tuple[str, int, str] = ("", 0, "")  # the first recorded_at, its position, the last one

    def join(self, later: Found) -> None:
        """Take in what was found further on, checking what only both together show."""
        for name in ("roots", "missing", "no_tile", "altered", "unlike_kept", "odd", "seen", "checkpoints"):
            getattr(self, name).extend(getattr(later, name))
        self.served |= later.served
        self.holes |= later.holes
        first, position, last = later.times
        if first and first < self.times[2]:
            self.odd.append((position, f"it was recorded at {first}, before the entry ahead of it"))
        if None not in {self.tenant, later.tenant} and self.tenant != later.tenant:
            self.odd.append((position, f"it is of tenant {short(later.tenant)}, the log of {short(self.tenant)}"))
        self.tenant = later.tenant if self.tenant is None else self.tenant
        self.times = (self.times[0] or first, self.times[1] or position, last or self.times[2])
        for stream, (version, position) in later.begun.items():
            self.check_version(stream, position, version, self.newest.get(stream))
        self.newest |= later.newest

    def check_version(self, stream: str, position: int, version: int, last: int | None) -> None:
        """A stream begins with version 0 or 1 and goes on without a gap, but for what could not be read."""
        follows = version in {0, 1} if last is None else version == last + 1
        if not follows and not (self.holes and version > (last or 0)):
            after = "nothing" if last is None else f"version {last}"
            self.odd.append((position, f"version {version} of stream {short(stream)} comes after {after}"))


def short(text: str | None) -> str:
    """The text as a complaint quotes it, of which there may be many."""
    return (text or "").strip()[:80] or "''"


def scan(job: Job) -> Found:
    """Everything about the entries of the job's bundles."""
    found = Found()
    for number in range(job.first, job.end):
        scan_bundle(job, number, found)
    return found


def scan_bundle(job: Job, number: int, found: Found) -> None:
    before = number * TILE
    width = min(TILE, job.size - before)
    end = before + width
    try:
        served, entries = read_tile(job.source, 0, number, width), read_bundle(job.source, number, width)
    except Refused as wrong:
        found.odd.append((before + 1, wrong.why))
        served, entries = b"", []
    leaves = [sha256(b"\x00" + entry).digest() for entry in entries]
    tile = b"".join(leaves)
    if not served:
        found.no_tile.append((before + 1, end))
    found.altered.extend(unlike(tile, served, before))
    if len(entries) < width:
        found.missing.append((before + len(entries) + 1, end))
        found.holes = True
        tile = (tile + served[len(tile) :]).ljust(width * HASH, b"\0")
        leaves = slices(tile)
    found.roots.append(tree_root(leaves))
    if served and served != tile:
        found.served[number] = tree_root(slices(served))
    if job.kept and before < job.kept_size:
        kept = read_tile(job.kept, 0, number, min(TILE, job.kept_size - before))
        found.unlike_kept.extend(unlike(tile, kept, before))
    if job.fresh and end > job.kept_size:
        file = job.fresh / tile_path(0, number, width)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(tile)
    for digest in job.digests:
        found.seen.extend((digest, at) for at, entry in enumerate(entries, before + 1) if digest in entry)
    if job.of_root:
        scan_checkpoints(entries, before, found)
    elif job.form:
        scan_events(entries, before, found)


def scan_events(entries: list[bytes], before: int, found: Found) -> None:
    """Each entry an event of the one tenant: canonical, at its position, in time, its stream without a gap."""
    told, at, rows = len(found.odd), list(range(before + 1, before + len(entries) + 1)), KNOWN.rows(entries)
    for index in (index for index, row in enumerate(rows) if not row[0]):
        lines = KNOWN.lines
        try:
            rows[index] = event_row(entries[index])
        except Refused as wrong:
            found.odd.append((before + 1 + index, wrong.why))
            found.holes, at[index] = True, 0
        if KNOWN.lines is not lines:
            rows[index + 1 :] = KNOWN.rows(entries[index + 1 :])
    if not all(at):
        rows, at = list(compress(rows, at)), list(filter(None, at))
    if rows:
        # All at once where all is well, and one by one only to name what is not.
        positions, moments, streams, tenants, versions = zip(*rows, strict=True)
        if positions != tuple(map(str, at)):
            pairs = zip(at, positions, strict=True)
            found.odd += [(e, f"the entry says that its position is {p}") for e, p in pairs if p != str(e)]
        check_times(at, moments, found)
        check_tenants(at, tenants, found)
        check_versions(at, streams, versions, found)
        found.odd[told:] = sorted(found.odd[told:], key=lambda each: each[0])


def check_times(at: list[int], moments: Sequence[str], found: Found) -> None:
    """None was recorded before the entry ahead of it."""
    first, since, last = found.times
    if moments[0] < last or list(moments) != sorted(moments):
        for expected, moment in zip(at, moments, strict=True):
            if moment < last:
                found.odd.append((expected, f"it was recorded at {moment}, after an entry of {last}"))
            last = max(moment, last)
    found.times = (first or moments[0], since or at[0], max(moments[-1], last))


def check_tenants(at: list[int], tenants: Sequence[str], found: Found) -> None:
    """All are of one tenant."""
    if found.tenant is None:
        found.tenant = max(set(tenants), key=tenants.count)  # that of most
    ours = found.tenant
    if set(tenants) != {ours}:
        whose, pairs = short(ours), zip(at, tenants, strict=True)
        found.odd += [(e, f"it is of tenant {short(each)}, the log of {whose}") for e, each in pairs if each != ours]


def check_versions(at: list[int], streams: Sequence[str], versions: Sequence[str], found: Found) -> None:
    """Every stream goes on without a gap."""
    newest = found.newest
    for expected, stream, version in zip(at, streams, map(int, versions), strict=True):
        last = newest.get(stream)
        newest[stream] = version
        if last is None:
            found.begun[stream] = version, expected
        elif version != last + 1:
            found.check_version(stream, expected, version, last)
            newest[stream] = min(max(version, last), last + 1)  # so that one fault is named once


@dataclass
class Known:
    """What the entries that were parsed have in common, and an expression for lines that are such entries."""

    parsed: int = 0
    learned: int = 0  # bytes of entries
    members: dict[str, Shape] = field(default_factory=dict)  # of the entries, but for COLUMNS and data
    data: dict[str, Shape] = field(default_factory=dict)  # by type
    lines: re.Pattern[str] | None = None

    def add(self, entry: bytes, event: dict[str, Any]) -> None:
        """Another one that is canonical; within bounds, for whoever wrote the log chose what is in it."""
        self.learned += len(entry)
        if self.learned > LEARNED or entry.translate(None, PLAIN):
            return
        self.parsed += 1
        for name in set(MEMBERS) - {"data", *COLUMNS}:
            self.members.setdefault(name, Shape()).add(event[name])
        self.data.setdefault(canonical(event["type"]), Shape()).add(event["data"])
        if self.parsed >= OFTEN and math.log(self.parsed / OFTEN, 4).is_integer():
            self.compile()

    def compile(self) -> None:
        """Make the expression anew, of the commonest kinds of data, unless it would be too long."""
        data = "(?!)"
        for shape in sorted(self.data.values(), key=lambda shape: -shape.count)[:KINDS]:
            more = f"{data}|{shape.expression()}"
            data = more if len(more) < LONG else data
        known = {name: shape.expression() for name, shape in self.members.items()} | COLUMNS | {"data": f"(?:{data})"}
        entry = ",".join(f'"{name}":{known[name]}' for name in MEMBERS)
        if len(entry) < 2 * LONG:
            self.lines = re.compile(rf"\n(?:\{{{entry}\}}|[^\n]*+)(?=\n)")

    def rows(self, entries: list[bytes]) -> list[Row]:
        """A row for each entry that looks like those; its first column is empty where the entry does not."""
        text, breaks = b"\n".join((b"", *entries, b"")), b"\n" * (len(entries) + 1)
        if text.translate(None, PLAIN) != breaks:
            text = b"\n".join((b"", *(b"" if each.translate(None, PLAIN) else each for each in entries), b""))
        # As many matches as entries: each begins at the one break that it holds, and so is a whole entry.
        rows = self.lines.findall(text.decode("ascii")) if self.lines else []
        return rows if len(rows) == len(entries) else [("",)] * len(entries)


OFTEN = 16  # entries, and four times as many for each time that another expression is worth its compiling
LEARNED, KINDS, LONG = 1 << 19, 64, 50_000  # bytes of entries, types, characters of an expression
KNOWN = Known()


def event_row(entry: bytes) -> Row:
    """The row of an entry that is canonical and has exactly the members of an event; Refused otherwise."""
    event = canonical_value(entry)
    if type(event) is not dict or tuple(event) != MEMBERS:
        raise Refused(f"its members are not {', '.join(MEMBERS)}")
    row = tuple(event[name] for name in COLUMNS)
    if tuple(map(type, row)) != (int, str, str, str, int) or not re.fullmatch(MOMENT, row[1]):
        facts = ", ".join(f"{name} is {value!r}" for name, value in zip(COLUMNS, row, strict=True))
        raise Refused(f"{facts[:400]}: one of them is no integer, text or time as it should be")
    KNOWN.add(entry, event)
    return tuple(map(str, row))


def scan_checkpoints(entries: list[bytes], before: int, found: Found) -> None:
    """Each entry of the root log a city's checkpoint with the signatures of its log, and of no other."""
    for position, entry in enumerate(entries, before + 1):
        try:
            city = parse_checkpoint(entry)
        except Refused as wrong:
            found.odd.append((position, wrong.why))
            continue
        if {name for name, *_ in city.note.signatures} != {city.origin}:
            found.odd.append((position, "it carries signatures of others than its log"))
        found.checkpoints.append((city.origin, position, city.size, city.root))


def scan_all(job: Job, processes: int) -> Found:
    """The whole log, piece by piece; ends at the first piece of which nothing is there: the rest is missing too."""
    total, told = Found(), time.monotonic()
    with closing(scanned(job, processes)) as pieces:
        for found in pieces:
            first, done = len(total.roots) * TILE + 1, min((len(total.roots) + len(found.roots)) * TILE, job.size)
            total.join(found)
            if merged(found.missing) == merged(found.no_tile) == ((first, done),):
                total.missing.append((first, job.size))
                break
            if time.monotonic() > told + PROGRESS:
                told = time.monotonic()
                sys.stderr.write(f"  {done:,} of {job.size:,} entries\n")
    return total


PIECE = 8  # bundles


def piece(job: Job, number: int) -> Job:
    """A part of the whole log's job."""
    return replace(job, first=number * PIECE, end=min((number + 1) * PIECE, -(-job.size // TILE)))


def scanned(job: Job, processes: int) -> Generator[Found, None, None]:
    """What each piece of the log holds, in order, from several processes that get the next one as they finish."""
    pieces = range(-(-job.size // (TILE * PIECE)))
    if processes == 1:
        yield from (scan(piece(job, number)) for number in pieces)
        return
    done, numbers = dict[int, Found | Exception](), iter(pieces)
    with scanners(job, processes) as pipes:
        idle = pipes * 2  # so that there is always another piece to go on with
        for number in pieces:
            while number not in done:
                # None far ahead: a false checkpoint may announce any number.
                while idle and len(done) < 4 * processes:
                    hand_out(numbers, idle.pop())
                for pipe in cast("list[Connection]", wait(pipes)):
                    at, found = received(pipe)
                    done[at] = found
                    idle.append(pipe)
            found = done.pop(number)
            if isinstance(found, Exception):
                raise found
            yield found


def hand_out(numbers: Iterator[int], pipe: Connection) -> None:
    """Ask for the next piece, if there is one; that nobody is there any more, the answer will tell."""
    with suppress(OSError):
        for number in islice(numbers, 1):
            pipe.send(number)


def received(pipe: Connection) -> tuple[int, Found | Exception]:
    """The number of a piece and what it holds, or what went wrong."""
    try:
        return cast("tuple[int, Found | Exception]", pipe.recv())
    except (EOFError, OSError):
        raise CannotCheck("one of the processes that read the log was ended from outside, perhaps for want of memory; "
                          "try --processes 1") from None  # fmt: skip


@contextmanager
def scanners(job: Job, processes: int) -> Generator[list[Connection], None, None]:
    """A pipe to each process that scans the pieces it is asked for; they end with the context."""
    # Where it is safe, a copy of this process is the quickest start.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    pipes, children = list[Connection](), list[BaseProcess]()
    try:
        for _ in range(processes):
            ours, theirs = context.Pipe()
            pipes.append(ours)
            children.append(context.Process(target=scan_on_request, args=(job, theirs, pipes)))
            children[-1].start()
            theirs.close()
        yield pipes
    finally:
        for pipe in pipes:
            pipe.close()
        for child in (child for child in children if child.pid is not None):
            child.terminate()
            child.join()


def scan_on_request(job: Job, pipe: Connection, others: list[Connection]) -> None:
    """In a process of its own: scan the pieces asked for, and send what each holds or what went wrong."""
    # An interruption ends the process that asks; a handler of its own could keep this one from ending when told to.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:
        other.close()  # so that this pipe ends with the process that asks
    gc.freeze()  # What was copied is not gone through, and so need not be copied indeed.
    with suppress(EOFError, ConnectionError):
        while True:
            number = pipe.recv()
            try:
                found: Found | Exception = scan(piece(job, number))
            except Exception as wrong:  # noqa: BLE001 - it is raised where it was asked for
                found = wrong
            pipe.send((number, found))


# ---- The steps. Each returns what it found in order, and raises Refused or Skipped otherwise.


@dataclass(frozen=True)
class Options:
    """What the reader brings along; each as text, not as the name of a file, but for the folder."""

    keys: tuple[Key, ...] = ()
    policy: Policy | None = None
    keep: Path | None = None
    since: bytes | None = None
    disclosures: tuple[tuple[int | None, str], ...] = ()  # (position or None, disclosure)
    processes: int | None = None
    quick: bool = False

    def kept(self, origin: str) -> Folder | None:
        """Where the log of this origin is kept, or will be."""
        name = quote(origin, safe="").replace(".", "%2E", origin.startswith("."))[:200]
        return Folder(self.keep / name) if self.keep else None


@dataclass
class Case:
    """One log, or one entry with its proof, under verification: what is given, and what the steps found so far."""

    target: str
    options: Options
    source: Source
    note: Checkpoint | None = None
    problem: str = "there is no checkpoint"  # why there is none
    proof: Proof | None = None
    root_proof: bytes | None = None
    archive: Unpacked | None = None
    cities: Sequence[Case] = ()  # logs to compare the root log with
    keys: list[Key] = field(default_factory=list)  # those trusted
    found: Found = field(default_factory=Found)
    wrong_tiles: list[tuple[str, tuple[int, int]]] = field(default_factory=list)
    fresh: Path | None = None  # tiles of this visit
    bundle: tuple[int, list[bytes]] = (-1, [])  # the one read last

    @property
    def checkpoint(self) -> Checkpoint:
        if self.note is None:
            raise Skipped(self.problem)
        return self.note

    @property
    def kept(self) -> Folder | None:
        return self.options.kept(self.checkpoint.origin)

    def kept_checkpoint(self) -> Checkpoint | None:
        data = self.kept.read("checkpoint", MAX_NOTE) if self.kept else None
        return None if data is None else parse_checkpoint(data)

    def entry(self, position: int) -> bytes:
        """The entry at a position, nothing when it is not there."""
        number, offset = divmod(position - 1, TILE)
        if self.proof:
            return self.proof.extra if position == self.proof.index + 1 else b""
        if self.bundle[0] != number:
            width = min(TILE, self.checkpoint.size - number * TILE)
            self.bundle = number, read_bundle(self.source, number, width) if position > 0 and width > 0 else []
        return self.bundle[1][offset] if offset < len(self.bundle[1]) else b""

    def root_at(self, size: int) -> bytes:
        """The root that the log had at an earlier size, from its entries as they are now."""
        whole = size // TILE
        rest = [leaf_hash(self.entry(position)) for position in range(whole * TILE + 1, size + 1)]
        return tree_root(self.found.roots[:whole] + ([tree_root(rest)] if rest else []))


def the_key(case: Case) -> list[str]:
    """The trusted key: given, listed in the policy, kept, or offered; in this order."""
    origin, kept = case.checkpoint.origin, case.kept
    offered = case.source.read("key", MAX_NOTE)
    case.keys, why = trusted(case.options, origin, kept.read("key", MAX_NOTE) if kept else None, offered)
    details = [f"{key.text} {why}" for key in case.keys]
    offer = (offered or b"").decode("utf-8", "replace").strip()
    if not {key.text for key in case.keys}.issuperset(offer.splitlines()):
        details.append(f"the log itself now offers another key, which is not trusted: {offer[:200]}")
    for other in case.options.keep.glob("*/address") if case.options.keep else ():
        if kept and other.parent != kept.root and other.read_text("utf-8") == case.target:
            raise Refused(f"this address gave another log at an earlier visit, kept in {other.parent}")
    return details


def trusted(options: Options, origin: str, kept: bytes | None, offered: bytes | None) -> tuple[list[Key], str]:
    """The keys trusted for a log, and why."""
    listed = (*options.keys, *(options.policy.logs if options.policy else ()))
    why = "was given with --key" if options.keys else "is listed in the policy"
    if not listed:
        text = (kept or offered or b"").decode("utf-8", "replace")
        why = "is the one kept from an earlier visit"
        if kept is None:
            why = "is the one that the log itself offers: trusted on first use, so compare it with a published one"
        if not text:
            raise CannotCheck(f"no key of {origin} is known: give it with --key")
        listed = tuple(parse_key(line) for line in text.splitlines() if line.strip())
    keys = [key for key in listed if key.name == origin and key.kind == SIGNS]
    if not keys:
        raise Refused(f"the log calls itself {origin}; the key that {why.split(':')[0]} is of {listed[0].name}")
    return keys, why


def the_checkpoint(case: Case) -> list[str]:
    """The checkpoint is signed by the key; a signature of it that does not hold refuses the note."""
    if case.note is None:
        raise Refused(case.problem)
    if not case.keys:
        raise Skipped("there is no trusted key")
    if not signers(case.note.note, case.keys):
        names = ", ".join(name for name, *_ in case.note.note.signatures)
        raise Refused(f"it is not signed by the trusted key but by others, named {names}. If the log has a new key,"
                      " have it confirmed from outside and give both, a line each, with --key.")  # fmt: skip
    offered = case.source.read("key", MAX_NOTE)
    if offered is not None and not signers(case.note.note, [parse_key(offered.decode("utf-8", "replace"))]):
        raise Refused("the key that the log offers did not sign the checkpoint that it shows")
    return [f"{case.note.origin}: {case.note.size} entries, root {case.note.root.hex()}"]


def witnesses(case: Case) -> list[str]:
    """Cosignatures of the policy's witnesses, and its quorum."""
    note, policy = case.checkpoint.note, case.options.policy
    alone = "without outside witnesses the operator could show different people different logs"
    if policy is None:
        others = len([name for name, *_ in note.signatures if name != case.checkpoint.origin])
        have = f"{others} cosignatures, but no --policy that says whose count" if others else "no cosignature"
        raise Skipped(f"{have}: {alone}")
    seen = signers(note, policy.witnesses.values())
    names = [f"{name} {seen[key.text]}" for name, key in policy.witnesses.items() if key.text in seen]
    if not policy.met(seen, policy.quorum):
        raise Refused(f"the quorum {policy.quorum} is not met by {'; '.join(names) or 'no valid cosignature'}")
    return names + ([f"the policy asks for no witness: {alone}"] if policy.quorum == "none" else [])


def the_entries(case: Case) -> list[str]:
    """All entries hash to the signed root; where not, the smallest place that the evidence shows."""
    digests = tuple(quoted(opened(text)[1]) for position, text in case.options.disclosures if position is None)
    kept, size, root = case.kept_checkpoint(), case.checkpoint.size, case.checkpoint.root
    if case.proof:
        return the_proven_entry(case, case.proof, digests, kept)
    if case.kept:
        case.kept.root.mkdir(parents=True, exist_ok=True)
        case.fresh = Path(tempfile.mkdtemp(prefix="new-", dir=case.kept.root))
    form = not case.options.quick
    job = Job(case.source, size, is_root(case), case.kept, kept.size if kept else 0, case.fresh, digests, form)
    found = case.found = scan_all(job, case.options.processes or (os.cpu_count() or 1 if size > 10_000 else 1))
    case.wrong_tiles = list(wrong_tiles(case)) if len(found.roots) * TILE >= size else []
    details, positions, computed = [], list(found.missing), tree_root(found.roots)
    if found.missing:
        details.append(f"{spoken(merged(found.missing))}: no entry is there")
    if computed != root:
        served = tree_root([found.served.get(number, each) for number, each in enumerate(found.roots)])
        later = [(kept.size + 1, size)] if kept and kept.size < size else [(1, size)]
        odd = [(at, at) for at, _ in found.odd]
        nearest = found.altered or found.unlike_kept or [at for _, at in case.wrong_tiles] or odd or later
        where = spoken(merged(nearest))
        details.append(f"{where} altered: the hash tiles still lead to the signed root" if served == root else
                       f"the root of the entries is {computed.hex()}; the evidence: {where}")  # fmt: skip
        positions += nearest
    if details:
        raise Refused("\n".join(details), positions)
    return [f"{size} entries, hashed one by one"]


def the_proven_entry(case: Case, proof: Proof, digests: Sequence[bytes], kept: Checkpoint | None) -> list[str]:
    """The path of the proof leads from the entry to the signed root."""
    position, leaf, (number, offset) = proof.index + 1, leaf_hash(proof.extra), divmod(proof.index, TILE)
    here = ((position, position),)
    case.found.seen = [(digest, position) for digest in digests if digest in proof.extra]
    (scan_checkpoints if is_root(case) else scan_events)([proof.extra], proof.index, case.found)
    if case.kept and kept and proof.index < kept.size:
        before = slices(read_tile(case.kept, 0, number, min(TILE, kept.size - number * TILE)))
        case.found.unlike_kept = [each for each in here if before[offset : offset + 1] not in ([], [leaf])]
    asked = case.target.rpartition("/proof/")[2]
    if asked.isdecimal() and int(asked) != position:
        raise Refused(f"position {asked} was asked for, the proof is of {position}", here)
    if not included(proof.index, case.checkpoint.size, leaf, case.checkpoint.root, proof.path):
        raise Refused(f"the entry, its position {position} or the proof was altered", here)
    return [f"position {position}, leaf hash {leaf.hex()}"]


def is_root(case: Case) -> bool:
    return case.checkpoint.origin.endswith("/root")


def wrong_tiles(case: Case) -> Iterator[tuple[str, tuple[int, int]]]:
    """The tiles above level 0 that fit neither the entries nor the tiles below, with the positions under each."""
    hashes, span = case.found.roots[: case.checkpoint.size // TILE], TILE  # a hash stands for so many entries
    for level in range(1, 64):
        for first in range(0, len(hashes), TILE):
            ours = hashes[first : first + TILE]
            path = tile_path(level, first // TILE, len(ours))
            try:
                theirs = slices(read_tile(case.source, level, first // TILE, len(ours)))
            except Refused:
                theirs = []
            if not theirs:
                yield f"{path} is not there or not whole", (first * span + 1, (first + len(ours)) * span)
            for at, hashed in enumerate(theirs, start=first):
                if level == 1 and hashed == case.found.served.get(at):
                    hashes[at] = hashed  # What is wrong below is said there.
                elif hashed != hashes[at]:
                    yield f"{path} does not fit", (at * span + 1, (at + 1) * span)
        hashes = [tree_root(hashes[at : at + TILE]) for at in range(0, len(hashes) - TILE + 1, TILE)]
        span *= TILE


def the_tiles(case: Case) -> list[str]:
    """What the scan and wrong_tiles() found of them."""
    if case.proof:
        raise Skipped("a single proof needs no tiles")
    altered, absent = merged(case.found.altered), merged(case.found.no_tile)
    details = [f"{path} ({spoken((at,))} below it)" for path, at in case.wrong_tiles[:20]]
    if altered:
        whose = "" if tree_root(case.found.roots) == case.checkpoint.root else ", or the entry is"
        details.append(f"{spoken(altered)}: the level-0 tile has another hash (the tile is wrong{whose})")
    if absent:
        details.append(f"{spoken(absent)}: the level-0 tile is not there or not whole")
    if details:
        raise Refused("\n".join(details), (*altered, *absent, *(at for _, at in case.wrong_tiles)))
    return ["every level, full and partial tiles"]


def the_form(case: Case) -> list[str]:
    """What the scan found odd, and that the checkpoints in the root log only ever grow."""
    odd, grown = [*case.found.odd], dict[str, tuple[int, bytes]]()
    for origin, position, size, root in case.found.checkpoints:
        before, other = grown.get(origin, (0, b""))
        if size < before or (size == before and other not in {b"", root}):
            odd.append((position, f"the city's log went back from {before} to {size}, or has two roots"))
        grown[origin] = size, root
    if odd:
        details = [f"position {position}: {why}" for position, why in odd[:20]]
        details += [f"and {len(odd) - 20} more"] if len(odd) > 20 else []
        raise Refused("\n".join(details), [(at, at) for at, _ in odd])
    if case.proof:
        return ["looked at this entry alone"]
    if case.options.quick and not is_root(case):
        raise Skipped("left out, as --quick asks")
    first, _, last = case.found.times
    return [f"{len(case.found.newest)} streams of tenant {case.found.tenant}, {first} to {last}"] if last else []


def since_then(case: Case) -> list[str]:
    """The beginning of the log has the roots of earlier checkpoints; kept tiles name each position that has not."""
    kept, size, changed = case.kept_checkpoint(), case.checkpoint.size, merged(case.found.unlike_kept)
    given = parse_checkpoint(case.options.since) if case.options.since is not None else None
    earlier = [(name, old) for name, old in (("kept", kept), ("given with --since", given)) if old]
    earlier.sort(key=lambda each: each[1].size)
    if changed:
        gone = [(size + 1, kept.size)] if kept and kept.size > size else []
        raise Refused(f"{spoken((*changed, *gone))}: not what was there at the earlier visit", (*changed, *gone))
    if not earlier:
        raise Skipped("nothing kept of an earlier visit: give --keep FOLDER now, and again at the next one")
    for name, old in earlier:
        if old.origin != case.checkpoint.origin or not signers(old.note, case.keys):
            raise Refused(f"the checkpoint {name} is of {old.origin}, or not signed by the trusted key")
    newest, details, fits = earlier[-1][1].size, [], 0
    if newest > size:
        gone = [(size + 1, newest)]
        raise Refused(f"the log went back from {newest} to {size}: {spoken(gone)} are gone", gone)
    for name, old in earlier:
        if case.proof and old.size != size:
            there = kept and name == "kept" and case.proof.index < old.size
            details += ["this entry is the one that was kept; whether others changed, the log shows"] if there else []
            continue
        if (case.checkpoint.root if case.proof else case.root_at(old.size)) != old.root:
            where = [(fits + 1, old.size)]
            raise Refused(f"the first {old.size} entries are not those of the checkpoint {name}: something in"
                          f" {spoken(where)} was changed", where)  # fmt: skip
        details.append(f"the first {old.size} entries are those of the checkpoint {name}")
        fits = old.size
    if not details:
        raise Skipped("a proof of a later entry does not show how the log grew since: verify the log itself")
    return details


def the_root_log(case: Case) -> list[str]:
    """The root log's proof leads from a checkpoint of this log to the root log's root."""
    if case.proof:
        raise Skipped("verify the log itself for it")
    if is_root(case):
        return cities_fit(case)
    if not isinstance(case.source, Web):
        raise Skipped("an archive holds no proof by the root log: verify the live log for it")
    if case.root_proof is None:
        raise Refused(f"{case.source.prefix}/root-proof is not there: nothing shows that the root log holds this")
    proof, origin = parse_proof(case.root_proof), f"{case.checkpoint.origin.rpartition('/')[0]}/root"
    folder, given = case.options.kept(origin), case.options
    kept = folder.read("key", MAX_NOTE) if folder else None
    offered = Web(f"{case.source.prefix.rpartition('/')[0]}/root").read("key", MAX_NOTE)
    listed = (*given.keys, *(given.policy.logs if given.policy else ()))
    keys, why = trusted(given if any(key.name == origin for key in listed) else Options(), origin, kept, offered)
    if proof.checkpoint.origin != origin or not signers(proof.checkpoint.note, keys):
        raise Refused(f"the proof is not by the root log {origin}, or not signed by its key")
    if not included(proof.index, proof.checkpoint.size, leaf_hash(proof.extra), proof.checkpoint.root, proof.path):
        raise Refused("the proof does not lead to the root log's root")
    city, size = parse_checkpoint(proof.extra), case.checkpoint.size
    if city.origin != case.checkpoint.origin or not signers(city.note, case.keys):
        raise Refused(f"the root log's entry is a checkpoint of {city.origin}, or not signed by the trusted key")
    if city.size > size:
        gone = [(size + 1, city.size)]
        raise Refused(f"the root log holds a checkpoint of {city.size} entries, the log shows {size}:"
                      f" {spoken(gone)} are withheld", gone)  # fmt: skip
    if case.root_at(city.size) != city.root:
        raise Refused(f"the root log holds another root for the first {city.size} entries", [(1, city.size)])
    at = f"position {proof.index + 1} of {origin} holds the checkpoint of {city.size} entries"
    newer = ["the newest checkpoint is not in it yet"] if city.size < size else []
    return [at, f"{keys[0].text} {why}", *newer]


def cities_fit(case: Case) -> list[str]:
    """Every checkpoint that the root log ever took of a city is the beginning of that city's log as it is now."""
    if not case.cities:
        raise Skipped("verify the whole service to compare the cities' logs with every checkpoint in this one")
    cities, fits = {city.checkpoint.origin: city for city in case.cities}, dict[str, int]()
    for origin, position, size, root in case.found.checkpoints:
        if origin in cities and size <= cities[origin].checkpoint.size:
            if cities[origin].root_at(size) != root:
                where = spoken([(fits.get(origin, 0) + 1, size)])
                raise Refused(f"{origin}: its checkpoint of {size} entries, here at {position}, does not fit it as it"
                              f" is now; something in its {where} was changed", [(position, position)])  # fmt: skip
            fits[origin] = size
    return [f"the checkpoints of {len(fits)} logs fit these logs as they are now"]


def the_disclosures(case: Case) -> list[str]:
    """Each value that the reader holds, and each public one of an archive, stands in its entry."""
    public = case.source.root / "disclosures/public.jsonl" if isinstance(case.source, Folder) else Path()
    if not case.options.disclosures and not public.is_file():
        raise Skipped("no --disclosure was given, and there is no archive with public ones")
    details, wrong, nowhere, count = list[str](), list[tuple[int, int]](), False, 0
    for position, text in case.options.disclosures:
        name, digest = opened(text)
        places = [position] if position else [at for each, at in case.found.seen if each == quoted(digest)]
        found = [(at, case.entry(at)) for at in places if quoted(digest) in case.entry(at)]
        where = [f"position {at}, {member_of(json.loads(entry), digest.decode())}" for at, entry in found]
        elsewhere = f"stands in no entry{f' at {position}' if position else ''}: altered, or of another log"
        details.append(f"{name}: {'; '.join(where) or elsewhere}")
        wrong += [(position, position)] if position and not found else []
        nowhere = nowhere or not found
    if public.is_file():
        with public.open("r", encoding="utf-8", errors="replace") as lines:
            for at, text in (each for line in lines for each in disclosures_of(line)):
                count += 1
                if at is None or quoted(opened(text)[1]) not in case.entry(at):
                    nowhere = True
                    wrong.append((at or 0, at or 0))
                    details.append(f"position {at}: a public disclosure in the archive is not of that entry")
    if nowhere:
        raise Refused("\n".join(details[:50]), wrong)
    return details + ([f"{count} public disclosures of the archive stand in their entries"] if count else [])


def quoted(digest: bytes) -> bytes:
    return b'"' + digest + b'"'


def opened(disclosure: str) -> tuple[str, bytes]:
    """The name and the digest of a disclosure (RFC 9901 §4.2): base64url of [salt, name, value]."""
    try:
        _, name, _ = json.loads(urlsafe_b64decode(disclosure + "=" * (-len(disclosure) % 4)))
    except (ValueError, TypeError) as wrong:
        raise Refused(f"{disclosure[:40]!r} is no disclosure") from wrong
    return str(name), urlsafe_b64encode(sha256(disclosure.encode()).digest()).rstrip(b"=")


def member_of(value: Any, digest: str, path: str = "") -> str:
    """The path to the digest within an entry: data.title_ja."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if value == digest:
        return path.lstrip(".")
    return next(filter(None, (member_of(each, digest, f"{path}.{name}") for name, each in members)), "")


def the_seal(case: Case) -> list[str]:
    """SHA256SUMS.note: signed by the log's key over the hash of every member."""
    seal = case.source.read("SHA256SUMS.note", 1 << 30) if isinstance(case.source, Folder) else None
    if not isinstance(case.source, Folder) or (seal is None and case.archive is None):
        raise Skipped("this is no archive")
    archive = case.archive or Unpacked(hashed_files(case.source.root), [])
    sums, wrong = archive.sums, [*archive.problems]
    if seal is None:
        raise Refused("\n".join([*wrong, "SHA256SUMS.note is not there: the archive is cut off or not whole"]))
    note = parse_note(seal)
    if not signers(note, case.keys):
        wrong.append("the seal is not signed by the trusted key")
    title, *lines = note.text[:-1].split("\n")
    listed = {name: value for value, _, name in (line.partition("  ") for line in lines)}
    if title != "kyodo archive v1" or len(listed) != len(lines):
        wrong.append("the seal is not of an archive, version 1, or lists a file twice")
    for name in sorted(sums.keys() | listed.keys()):
        if name not in listed:
            wrong.append(f"{name} was added")
        elif sums.get(name) != listed[name]:
            wrong.append(f"{name} was altered" if name in sums else f"{name} is not there")
    if wrong:
        raise Refused("\n".join(wrong[:50]))
    return [f"{len(sums)} files"]


def the_time_stamp(case: Case) -> list[str]:
    """Only whether there is one, and how to verify it: X.509 is more than fits in here."""
    if case.proof or not isinstance(case.source, Web):
        raise Skipped("a time stamp stands on the live root log only")
    root = f"{case.source.prefix.rpartition('/')[0]}/root"
    if Web(root).read("timestamp", MAX_NOTE) is None:
        raise Skipped("there is none: only the operator's clock dates this log")
    how = "openssl ts -verify -in timestamp -data CHECKPOINT -CAfile AUTHORITY.pem"
    raise Skipped(f"there is one, of the checkpoint whose size its header tells: curl -OD- {root}/timestamp; {how}")


STEPS = (
    (the_key, "the key", "whose signature counts, and why"),
    (the_checkpoint, "the checkpoint", "the holder of the key signed this size and this root"),
    (witnesses, "witnesses", "outsiders saw the same checkpoint, so that it is the same for everyone"),
    (the_entries, "the entries", "what was read is exactly what the root was signed for"),
    (the_tiles, "the hash tiles", "the tiles from which others compute proofs fit the entries"),
    (the_form, "the form of the entries", "each canonical, in its place, not before the last; no stream has a gap"),
    (since_then, "since an earlier visit", "nothing that was seen then has changed or gone"),
    (the_root_log, "the root log", "the log that holds all cities' checkpoints holds this one"),
    (the_disclosures, "disclosed values", "names and texts are those whose digests were recorded"),
    (the_seal, "the archive's seal", "every file of the archive is there as it was sealed, and no other"),
    (the_time_stamp, "the time stamp", "an outside authority saw the root log's checkpoint at that time"),
)


def examined(case: Case) -> Report:
    """Take every step, in order; keep this visit if all is well."""
    steps = list[Step]()
    try:
        for number, (take, title, establishes) in enumerate(STEPS, start=1):
            try:
                if case.note is None and number not in {2, 10, 11}:
                    raise Skipped(case.problem)  # noqa: TRY301 - as a step would
                outcome, details, positions = OK, take(case), Ranges()
            except Refused as refusal:
                outcome, details, positions = FAILED, refusal.why.split("\n"), merged(refusal.positions)
            except Skipped as why:
                outcome, details, positions = NOT_CHECKED, [str(why)], Ranges()
            steps.append(Step(number, title, establishes, outcome, tuple(details), positions))
        report = Report(case.target, steps=tuple(steps))
        if case.note:
            origin, size, root = case.note.origin, case.note.size, case.note.root.hex()
            report = replace(report, origin=origin, size=size, root=root)
        if report.verified and case.fresh:
            keep(case, case.fresh)
        return report
    finally:
        if case.fresh:
            shutil.rmtree(case.fresh, ignore_errors=True)


def keep(case: Case, fresh: Path) -> None:
    """Add the tiles of this visit to what is kept, and at last its checkpoint."""
    keys = "".join(f"{key.text}\n" for key in case.keys)
    files = sorted(file for file in fresh.rglob("*") if file.is_file())
    for name, text in (("address", case.target), ("key", keys), ("checkpoint", str(case.checkpoint.note))):
        (fresh / name).write_text(text, "utf-8", newline="")
        files.append(fresh / name)
    for file in files:
        goal = fresh.parent / file.relative_to(fresh)
        goal.parent.mkdir(parents=True, exist_ok=True)
        file.replace(goal)


# ---- Archives.

MEMBER = re.compile(r"(?!.*(?:^|/)\.)[A-Za-z0-9._/-]+")  # a plain path below the archive, no part of it hidden or ..
LIMITS = (("tile/entries/", MAX_BUNDLE), ("tile/", TILE * HASH), ("", 1 << 34))  # bytes of a member


@dataclass(frozen=True)
class Unpacked:
    """The SHA-256 of each member of an archive but its seal, and what is wrong with the file itself."""

    sums: dict[str, str]
    problems: list[str]


def unpacked(archive: Path, folder: Path) -> Unpacked:
    """Write the members below the folder as they come by; what cannot be read or does not belong there is a problem."""
    sums, problems = dict[str, str](), list[str]()
    try:
        # tarfile's own r|gz would stop after the first of the gzip members that an archive is made of.
        with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as members:
            for member in members:
                limit = next(limit for start, limit in LIMITS if member.name.startswith(start))
                if member.isdir() and MEMBER.fullmatch(member.name.removeprefix("./") or "x"):
                    continue
                plain = member.isreg() and MEMBER.fullmatch(member.name) and member.size <= limit
                if not plain or member.name in sums:
                    problems.append(f"{member.name!r} is no plain file, too large, there twice, or outside the archive")
                    continue
                path = folder / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("w+b") as file:
                    shutil.copyfileobj(cast("Any", members.extractfile(member)), file, 1 << 20)
                    file.seek(0)
                    sums[member.name] = file_digest(file, "sha256").hexdigest()
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as broken:
        if isinstance(broken, OSError) and broken.errno:
            raise CannotCheck(f"{archive} cannot be unpacked: {broken}") from broken
        problems.append(f"the file is damaged or cut off after {len(sums)} members: {broken}")
    sums.pop("SHA256SUMS.note", None)
    return Unpacked(sums, problems)


def hashed_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of an unpacked archive but its seal."""
    sums = {}
    for path in folder.rglob("*"):
        if path.is_file() and path != folder / "SHA256SUMS.note":
            with path.open("rb") as file:
                sums[path.relative_to(folder).as_posix()] = file_digest(file, "sha256").hexdigest()
    return sums


# ---- From a target to a report.


def verify(
    target: str,
    *,
    key: str | None = None,
    policy: str | None = None,
    keep: Path | None = None,
    since: Path | None = None,
    disclosures: Sequence[str] = (),
    processes: int | None = None,
    quick: bool = False,
) -> Report:
    """Verify a log, a service, a proof or an archive; `key`, `policy` and `disclosures` are texts or names of files.

    Raises CannotCheck where there is nothing to judge.
    """
    if processes is not None and processes < 1:
        raise CannotCheck(f"{processes} processes cannot read a log; at least one is needed")
    try:
        options = Options(
            keys=tuple(parse_key(line) for line in lines_of(key or "")),
            policy=parse_policy(text_of(policy)) if policy else None,
            keep=keep,
            since=since.read_bytes() if since else None,
            disclosures=tuple(
                each for given in disclosures for line in lines_of(given) for each in disclosures_of(line)
            ),
            processes=processes,
            quick=quick,
        )
        if re.match("https?://", target):
            return verify_web(target.rstrip("/"), options)
        path = Path(target)
        if path.is_dir():
            return examined(log_case(target, options, Folder(path)))
        with path.open("rb") as file:
            start = file.read(4096)
        if start.startswith(b"c2sp.org/tlog-proof@"):
            return examined(proof_case(target, options, Folder(Path(os.devnull)), path.read_bytes()))
        if not start.startswith(b"\x1f\x8b"):
            raise CannotCheck(f"{target} is neither an archive (.tar.gz) nor a .tlog-proof")
        with tempfile.TemporaryDirectory(prefix="kyodo-verify-") as folder:
            archive = unpacked(path, Path(folder))
            return examined(log_case(target, options, Folder(Path(folder)), archive))
    except OSError as broken:
        raise CannotCheck(f"{broken.filename or target} cannot be read: {broken.strerror or broken}") from broken
    except Refused as wrong:  # before any step: what the reader gave, or a proof that is none
        raise CannotCheck(wrong.why) from wrong


def log_case(target: str, options: Options, source: Source, archive: Unpacked | None = None) -> Case:
    """The case of a log. The proof by the root log comes first: whatever it holds, the log must then hold as well."""
    root_proof = source.read("root-proof", MAX_BUNDLE) if isinstance(source, Web) else None
    case = Case(target, options, source, root_proof=root_proof, archive=archive)
    data = source.read("checkpoint", MAX_NOTE)
    try:
        case.note = parse_checkpoint(data) if data is not None else None
    except Refused as wrong:
        case.problem = f"the checkpoint cannot be read: {wrong.why}"
    return case


def proof_case(target: str, options: Options, source: Source, data: bytes) -> Case:
    proof = parse_proof(data)
    return Case(target, options, source, proof.checkpoint, proof=proof)


def verify_web(target: str, options: Options) -> Report:
    """A URL: of a proof, of a log, or of the service with all its logs."""
    prefix, proof, number = target.rpartition("/proof/")
    if proof and number.isdecimal():
        data = Web(prefix).read(f"proof/{number}", MAX_BUNDLE)
        if data is None:
            raise CannotCheck(f"there is no proof at {target}")
        return examined(proof_case(target, options, Web(prefix), data))
    if Web(target).read("checkpoint", MAX_NOTE) is not None:
        return examined(log_case(target, options, Web(target)))
    for address in options.keep.glob("*/address") if options.keep else ():
        if address.read_text("utf-8") == target:
            was = parse_checkpoint((address.parent / "checkpoint").read_bytes())
            why = f"{was.origin}, of {was.size} entries at the earlier visit, shows no checkpoint any more"
            step = Step(7, *STEPS[6][1:], FAILED, (why,), ((1, was.size),))
            return Report(target, was.origin, steps=(step,))
    try:
        listed = json.loads(Web(target).read("log", MAX_BUNDLE) or b"")["logs"]
        names = [*sorted({str(each["name"]) for each in listed} - {"root"}), "root"]
    except (ValueError, KeyError, TypeError) as wrong:
        raise CannotCheck(
            f"{target} is neither a log (…/log/<city>) nor a service that lists its logs at /log"
        ) from wrong
    cases, parts = list[Case](), list[Report]()
    for name in names:  # the root log last, to compare all others with it
        prefix = f"{target}/log/{quote(name, safe='')}"
        case = log_case(prefix, options, Web(prefix))
        case.cities = [each for each in cases if each.note] if name == "root" else ()
        parts.append(examined(case))
        cases.append(case)
    return Report(target, parts=tuple(parts))


def text_of(given: str) -> str:
    """The text of the file of that name, or else what was given itself."""
    try:
        return Path(given).read_text("utf-8") if Path(given).is_file() else given
    except (OSError, ValueError):  # too long for a name
        return given


def lines_of(given: str) -> list[str]:
    lines = (line.strip() for line in text_of(given).splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def disclosures_of(line: str) -> list[tuple[int | None, str]]:
    """A bare disclosure, or JSON of an archive or of /disclosures/<n>: a position and its disclosure or disclosures."""
    if not line.startswith("{"):
        return [(None, line)]
    try:
        value = json.loads(line)
        texts = [value["disclosure"]] if "disclosure" in value else value["disclosures"]
        return [(int(value["position"]), str(text)) for text in texts]
    except (ValueError, KeyError, TypeError) as wrong:
        raise Refused(f"{line[:60]!r} is no disclosure") from wrong


def as_text(report: Report) -> str:
    """The report for people, and what it means."""
    lines = [f"{report.target}"] if report.parts or report.steps else []
    for step in report.steps:
        lines.append(f"{step.number:3} {step.outcome:11}  {step.title}: {step.establishes}")
        lines += [f"{'':17}{detail}" for detail in step.details]
    for part in report.parts:
        lines += ["", as_text(part)]
    if not report.parts:
        lines.append(conclusion(report))
    # What a stranger's server says must not steer the reader's terminal.
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in "\n".join(lines))


def conclusion(report: Report) -> str:
    """One honest sentence."""
    if not report.verified:
        named = f": {spoken(report.positions)}" if report.positions else ""
        return f"NOT VERIFIED{named}. Keep this report, the archive or proof and the kept checkpoints as evidence."
    since = next(step for step in report.steps if step.number == 7).outcome == OK
    seen = "since the earlier visit" if since else "since it was signed"
    return f"VERIFIED: unchanged {seen}. That does not make it true: it shows what was recorded, not what happened."


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    text = __doc__ or ""
    parser = argparse.ArgumentParser(
        "verify.py", description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", help="a log, service or proof (URL), an archive, a folder or a .tlog-proof file")
    parser.add_argument("--key", metavar="KEY|FILE", help="the key or keys to trust, one a line")
    parser.add_argument("--policy", metavar="FILE", help="witnesses and quorum (c2sp.org/tlog-policy)")
    parser.add_argument(
        "--keep", metavar="FOLDER", type=Path, help="compare with what was kept there, then keep this visit"
    )
    parser.add_argument("--since", metavar="FILE", type=Path, help="a checkpoint kept from an earlier visit")
    parser.add_argument("--disclosure", metavar="TEXT|FILE", action="append", default=[], help="a value to look for")
    parser.add_argument("--processes", metavar="N", type=int, help="default: one for each core, for large logs")
    parser.add_argument("--quick", action="store_true", help="leave out step 6, which takes most of the time")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    given = parser.parse_args(argv)
    try:
        report = verify(given.target, key=given.key, policy=given.policy, keep=given.keep, since=given.since,
                        disclosures=given.disclosure, processes=given.processes, quick=given.quick)  # fmt: skip
    except CannotCheck as why:
        sys.stderr.write(f"verify.py: {why}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("verify.py: interrupted; nothing was judged\n")
        return 130
    if given.json:
        facts = {**asdict(report), "verified": report.verified}
        sys.stdout.write(json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.write(as_text(report) + "\n")
    return 0 if report.verified else 1


if __name__ == "__main__":
    sys.exit(main())
