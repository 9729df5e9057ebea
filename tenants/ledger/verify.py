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

This file stands alone: Python 3.11, no package, and on purpose no code of the service. `orjson`, where it is installed,
only makes step 6 faster. Exit code 0: verified; 1: not verified; 2: nothing to judge, and what to do.
Formats: c2sp.org/tlog-tiles, signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy, tlog-proof; RFC 8785, 9162.
"""

# ruff: noqa: PLR2004 (sizes and ranges of the formats, each beside the text that names them)

from __future__ import annotations

import argparse
import dataclasses
import gc
import gzip
import http.client
import json
import multiprocessing
import os
import re
import shutil
import sys
import tarfile
import tempfile
import threading
import time
import zlib
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import file_digest, sha256, sha512
from itertools import pairwise, takewhile
from operator import itemgetter
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

Ranges = tuple[tuple[int, int], ...]  # positions from the first to the last, both included
TILE, HASH = 256, 32  # hashes in a full tile, bytes in a hash
MAX_ENTRY, MAX_NOTE, MAX_BUNDLE = 65_535, 1 << 20, TILE * 65_537  # bytes
OK, FAILED, NOT_CHECKED = "OK", "FAILED", "NOT CHECKED"


class Refused(Exception):
    """The evidence does not fit. `args` are a sentence and the positions it is about."""

    def __init__(self, why: str, positions: Ranges = ()) -> None:
        super().__init__(why, positions)
        self.why, self.positions = why, positions


class CannotCheck(Exception):
    """There is nothing to judge: wrong usage, or an answer that does not come. The text says what to do."""


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


def spoken(ranges: Ranges) -> str:
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


def multiplied(point: Point, factor: int) -> Point:
    """The point added up so many times, by doubling and adding."""
    total: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = added(total, point)
        point, factor = added(point, point), factor >> 1
    return total


BASE = decoded_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is the key's over the message (§5.1.7): s < L, and S·B = R + k·A without the cofactor."""
    if len(signature) != 64 or len(public) != 32:
        return False
    s = int.from_bytes(signature[32:], "little")
    try:
        r, a = decoded_point(signature[:32]), decoded_point(public)
    except Refused:
        return False
    k = int.from_bytes(sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = multiplied(BASE, s), added(r, multiplied(a, k))
    same = (left[0] * right[2] - right[0] * left[2]) % P == 0 == (left[1] * right[2] - right[1] * left[2]) % P
    return s < L and same


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


@dataclass
class Policy:
    """c2sp.org/tlog-policy: logs, witnesses by name, groups as (how many, of whom), and whom the quorum names."""

    logs: list[Key] = field(default_factory=list)
    witnesses: dict[str, Key] = field(default_factory=dict)
    groups: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    quorum: str = ""
    free: set[str] = field(default_factory=set)  # names that no group has taken yet

    def met(self, signed: Iterable[str], name: str) -> bool:
        """Whether this witness or group, as a rule the quorum, saw what these keys signed."""
        if name in self.groups:
            least, members = self.groups[name]
            return sum(self.met(signed, member) for member in members) >= least
        return name == "none" or self.witnesses[name].text in signed

    def read_line(self, line: str) -> None:
        """Take in one line; Refused says what is wrong with it."""
        known = {"none", *self.witnesses, *self.groups}
        match re.split("[ \t]+", line.strip(" \t")):
            case [""]:
                pass
            case [comment, *_] if comment.startswith("#"):
                pass
            case ["log", key, *url] if len(url) <= 1 and parse_key(key).kind == SIGNS:
                self.logs.append(parse_key(key))
            case ["witness", name, key, *url] if len(url) <= 1 and name not in known and parse_key(key).kind != SIGNS:
                self.witnesses[name] = parse_key(key)
                self.free.add(name)
            case ["group", name, count, *members] if name not in known and len(set(members) & self.free) == len(
                members
            ):
                least = {"any": 1, "all": len(members)}.get(count) or int(count if count.isdecimal() else 0)
                if not 1 <= least <= len(members):
                    raise Refused(f"a group of {len(members)} cannot ask for {count}")
                self.groups[name] = least, members
                self.free = self.free - set(members) | {name}
            case ["quorum", name] if not self.quorum and name in known:
                self.quorum = name
            case _:
                raise Refused(f"{line.strip()[:60]!r} is not understood, or defines or names what it may not")


def parse_policy(text: str) -> Policy:
    """A policy file; CannotCheck names the line that is wrong."""
    policy = Policy()
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            policy.read_line(line)
        except Refused as wrong:
            raise CannotCheck(f"line {number} of the policy: {wrong.why}") from wrong
    for keys in (policy.logs, policy.witnesses.values()):
        if len({key.public for key in keys}) != len(keys):
            raise CannotCheck("the policy lists the same public key twice")
    if not policy.quorum:
        raise CannotCheck("the policy has no line that says `quorum <name>`, or `quorum none`")
    return policy


# ---- Merkle trees: RFC 9162 §2.1, the same as RFC 6962 §2.1.


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


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
            node = node_hash(sibling, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path shows that the tree of the old size is the beginning of the new one (§2.1.4.2)."""
    if not 0 < old <= new or any(len(each) != HASH for each in path):
        return False
    if old == new or not path:
        return old == new and not path and old_root == new_root
    start, *rest = path if old & (old - 1) else [old_root, *path]
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    earlier = later = start
    for sibling in rest:
        if last == 0:
            return False
        if at & 1 or at == last:
            earlier, later = node_hash(sibling, earlier), node_hash(sibling, later)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            later = node_hash(later, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and earlier == old_root and later == new_root


def consistency_path(source: Source, old: int, new: int) -> list[bytes]:
    """The path from the tree of the old size to the new one, read from the log's hash tiles (§2.1.4.1)."""

    def subtree(start: int, end: int) -> bytes:
        width = end - start
        if width & (width - 1):
            split = start + (1 << (width - 1).bit_length() - 1)
            return node_hash(subtree(start, split), subtree(split, end))
        height = width.bit_length() - 1
        level, index = height // 8, start >> height // 8 * 8
        number, offset = divmod(index, TILE)
        tile = read_tile(source, level, number, min(TILE, (new >> 8 * level) - number * TILE))
        if tile is None:
            raise Refused(f"the log does not serve {tile_path(level, number)}")
        return tree_root(slices(tile)[offset : offset + (1 << height % 8)])

    def path(old: int, start: int, end: int, *, known: bool) -> list[bytes]:
        if start + old == end:
            return [] if known else [subtree(start, end)]
        split = 1 << (end - start - 1).bit_length() - 1
        if old <= split:
            return [*path(old, start, start + split, known=known), subtree(start + split, end)]
        return [*path(old - split, start + split, end, known=False), subtree(start, start + split)]

    return path(old, 0, new, known=True) if old else []


# ---- Canonical JSON: RFC 8785.

MEMBERS = ("actor", "approved_by", "data", "document_ref", "mode", "position", "programme", "recorded_at",
           "recorded_by", "schema_version", "signatories", "stream", "tenant", "type", "version")  # fmt: skip
RECORDED_AT = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z")
MAX_DEPTH = 256  # arrays and objects in one another; no quick way below writes as many

quick_load: Callable[[bytes], Any]
quick_dump: Callable[[Any], bytes]
try:  # The same answers, faster: the quick way only ever confirms, see parsed_entry().
    import orjson

    quick_load = orjson.loads
    quick_dump = partial(orjson.dumps, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
except ImportError:
    # An integer that a double may not hold becomes a float, which prints otherwise; int() refuses NaN and Infinity.
    _decoder = json.JSONDecoder(parse_int=lambda text: int(text) if len(text) < 16 else float(text), parse_constant=int)
    _encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"))

    def quick_load(entry: bytes) -> Any:
        if entry.count(b"[") + entry.count(b"{") > MAX_DEPTH // 2:
            raise ValueError
        return _decoder.decode(entry.decode())

    def quick_dump(value: Any) -> bytes:
        return _encoder.encode(value).encode()


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


def is_plain(text: bytes) -> bool:
    """Whether all JSON writers agree with RFC 8785 on this compact JSON: ASCII, no escape, no fraction, no exponent.

    A number with one of the latter, all but a few bytes thrown away and `e` read as `.`, shows as a `.` behind `":`,
    `[` or `,`, where true, false and null leave `u.`, `s.` and `u`. A text may look like it, and is then not plain.
    """
    rest = text.translate(_AS_POINT, _IMMATERIAL)
    return text.isascii() and b"\\" not in text and b'":.' not in rest and b",." not in rest


_AS_POINT = bytes.maketrans(b"e[", b".,")
_IMMATERIAL = bytes(set(range(256)) - set(b'":,[}.eus'))


def parsed_entry(entry: bytes, plain: bool) -> Any:  # noqa: FBT001 - once an entry, where a name costs time
    """The value of canonical JSON; Refused otherwise. The slow way decides whatever the quick one does not confirm."""
    if plain or is_plain(entry):
        try:
            value = quick_load(entry)
            if quick_dump(value) == entry:
                return value
        except (ValueError, TypeError):
            pass
    try:
        value = json.loads(entry.decode("utf-8"))
        if canonical(value).encode("utf-8") == entry:
            return value
    except (ValueError, RecursionError) as wrong:
        raise Refused(f"it is not JSON: {wrong}") from wrong
    raise Refused("its JSON is not canonical")


# ---- Where a log is read: the web, or a folder in the same layout (c2sp.org/tlog-tiles).

TIMEOUT, TRIES, PROGRESS = 30, 4, 2  # seconds, times, seconds


class Folder:
    """An unpacked archive, or what was kept of an earlier visit."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str, limit: int) -> bytes | None:
        """The bytes of a file; None where there is none; Refused when it is larger than `limit`."""
        file = self.root / path
        if not file.is_file():
            return None
        if file.stat().st_size > limit:
            raise Refused(f"{path} has more than {limit} bytes")
        return file.read_bytes()


class SameHost(HTTPRedirectHandler):
    """Follows a redirect on the same host only."""

    def redirect_request(  # noqa: PLR0917 - as urllib calls it
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if old.hostname != new.hostname or (old.scheme, new.scheme) == ("https", "http"):
            raise CannotCheck(f"{req.full_url} sends us on to {newurl}. If that is the log, give that address.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Web:
    """A log served over HTTP under a prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix.rstrip("/")

    def read(self, path: str, limit: int) -> bytes | None:
        """The body; None for 404; Refused when it is larger than `limit`; CannotCheck when no answer comes."""
        url, problem = f"{self.prefix}/{path}", ""
        for attempt in range(TRIES):
            time.sleep(attempt * attempt / 4)
            try:
                body = self._answer(url, limit)
            except HTTPError as refusal:
                refusal.close()
                if refusal.code in {404, 410}:
                    return None
                problem = f"it answers {refusal.code}"
                if refusal.code not in {429, 500, 502, 503, 504}:
                    break
            except (OSError, http.client.HTTPException, ValueError, zlib.error) as broken:
                problem = str(getattr(broken, "reason", broken)) or type(broken).__name__
            else:
                if len(body) > limit:
                    raise Refused(f"{url} has more than {limit} bytes")
                return body
        raise CannotCheck(f"{url} cannot be read: {problem}. Check the address and the connection, then try again.")

    @staticmethod
    def _answer(url: str, limit: int) -> bytes:
        """One try: up to limit + 1 bytes. A cached old checkpoint would look like a log that went back."""
        fresh = {} if "/tile/" in url else {"Cache-Control": "no-cache"}
        request = Request(url, headers={"Accept-Encoding": "gzip, identity", **fresh})  # noqa: S310 - http or https
        with _opener.open(request, timeout=TIMEOUT) as answer:
            body, length = bytes(answer.read(limit + 1)), answer.headers.get("Content-Length")
            if length is not None and len(body) < min(int(length), limit + 1):
                raise ConnectionError("the answer broke off")
            if answer.headers.get("Content-Encoding") == "gzip":
                body = zlib.decompressobj(47).decompress(body, limit + 1)
            return body


_opener = build_opener(SameHost)
Source = Folder | Web


def tile_path(level: int | str, number: int, width: int = TILE) -> str:
    """tile/<level>/<number>[.p/<width>]; the number in groups of three digits, all but the last with an x."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03}")
    return f"tile/{level}/{'/'.join(groups)}{'' if width == TILE else f'.p/{width}'}"


def read_tile(source: Source, level: int, number: int, width: int) -> bytes | None:
    """The first `width` hashes of a tile, of the full one where the partial one is gone; None when neither is there."""
    for each in dict.fromkeys((width, TILE)):
        data = source.read(tile_path(level, number, each), TILE * HASH)
        if data is not None:
            return data[: width * HASH] if len(data) == each * HASH else data
    return None


def read_bundle(source: Source, number: int, width: int) -> tuple[list[bytes], bytes]:
    """Up to `width` entries of a bundle, and its bytes; fewer when it is cut off or not there."""
    partial = source.read(tile_path("entries", number, width), MAX_BUNDLE)
    data = partial if partial is not None or width == TILE else source.read(tile_path("entries", number), MAX_BUNDLE)
    entries: list[bytes] = []
    at, end = 0, len(data or b"")
    while data and at + 2 <= end and len(entries) < width:
        start, at = at + 2, at + 2 + (data[at] << 8 | data[at + 1])
        if at <= end:
            entries.append(data[start:at])
    if partial is not None and at < end:
        raise Refused(f"{tile_path('entries', number, width)} goes on after its last entry")
    return entries, data or b""


def slices(tile: bytes) -> list[bytes]:
    return [tile[at : at + HASH] for at in range(0, len(tile), HASH)]


def unlike(ours: bytes, theirs: bytes, before: int) -> Ranges:
    """The positions at which two level-0 tiles differ, as far as both go; `before` positions lie before them."""
    if ours == theirs:
        return ()
    pairs = zip(slices(ours), slices(theirs), strict=False)
    return merged((at, at) for at, (a, b) in enumerate(pairs, start=before + 1) if a != b)


# ---- The scan: every entry read, hashed, compared and parsed once, by as many processes as there are.


@dataclass(frozen=True)
class Job:
    """The bundles from `first` up to `end` of a log of `size` entries, and what to compare and keep on the way."""

    source: Source
    size: int
    of_root: bool = False
    first: int = 0
    end: int = 0
    kept: Folder | None = None
    kept_size: int = 0
    fresh: Path | None = None
    digests: tuple[bytes, ...] = ()


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
    checkpoints: dict[str, list[tuple[int, int, bytes]]] = field(default_factory=dict)  # origin: position, size, root
    streams: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # first version, its position, last version
    holes: bool = False  # an entry is missing or cannot be read
    tenant: str = ""
    times: tuple[str, int, str] = ("", 0, "")  # the first recorded_at, its position, the last one

    def join(self, later: Found) -> None:
        """Take in what was found further on, checking what only both together show."""
        for name in ("roots", "missing", "no_tile", "altered", "unlike_kept", "odd", "seen"):
            getattr(self, name).extend(getattr(later, name))
        self.served |= later.served
        self.holes |= later.holes
        for origin, entries in later.checkpoints.items():
            self.checkpoints.setdefault(origin, []).extend(entries)
        first, position, last = later.times
        if first < self.times[2]:
            self.odd.append((position, f"it was recorded at {first}, before the entry ahead of it"))
        if later.tenant and self.tenant not in {"", later.tenant}:
            self.odd.append((position, f"it is of tenant {later.tenant}, the log of {self.tenant}"))
        self.tenant = self.tenant or later.tenant
        self.times = (self.times[0] or first, self.times[1] or position, last or self.times[2])
        for stream, (version, position, newest) in later.streams.items():
            oldest = self.streams.get(stream)
            self.check_version(stream, position, version, oldest[2] if oldest else None)
            self.streams[stream] = (*(oldest[:2] if oldest else (version, position)), newest)

    def check_version(self, stream: str, position: int, version: int, last: int | None) -> None:
        """A stream begins with version 0 or 1 and goes on without a gap, but for what could not be read."""
        follows = version in {0, 1} if last is None else version == last + 1
        if not follows and not (self.holes and version > (last or 0)):
            after = "nothing" if last is None else f"version {last}"
            self.odd.append((position, f"version {version} of stream {stream} comes after {after}"))


def scan(job: Job) -> Found:
    """Everything about the entries of the job's bundles."""
    found, collects = Found(), gc.isenabled()
    gc.disable()  # Parsing makes no cycles, and looking for them takes a third of the time.
    try:
        for number in range(job.first, job.end):
            scan_bundle(job, number, found)
    finally:
        if collects:
            gc.enable()
    return found


def scan_bundle(job: Job, number: int, found: Found) -> None:
    before = number * TILE
    width = min(TILE, job.size - before)
    end = before + width
    try:
        served = read_tile(job.source, 0, number, width) or b""
        entries, data = read_bundle(job.source, number, width)
    except Refused as wrong:
        found.odd.append((before + 1, wrong.why))
        served, entries, data = b"", [], b""
    leaves = [sha256(b"\x00" + entry).digest() for entry in entries]
    tile = b"".join(leaves)
    if len(served) != width * HASH:
        found.no_tile.append((before + 1, end))
    found.altered.extend(unlike(tile, served, before))
    if len(entries) < width:
        found.missing.append((before + len(entries) + 1, end))
        found.holes = True
        tile = (tile + served[len(tile) :]).ljust(width * HASH, b"\0")[: width * HASH]
        leaves = slices(tile)
    found.roots.append(tree_root(leaves))
    if served != tile and len(served) == len(tile):
        found.served[number] = tree_root(slices(served))
    if job.kept and before < job.kept_size:
        kept = read_tile(job.kept, 0, number, min(TILE, job.kept_size - before)) or b""
        found.unlike_kept.extend(unlike(tile, kept, before))
    if job.fresh and end > job.kept_size:
        file = job.fresh / tile_path(0, number, width)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(tile)
    for digest in job.digests:
        if digest in data:
            found.seen.extend((digest, at) for at, entry in enumerate(entries, before + 1) if quoted(digest) in entry)
    (scan_checkpoints if job.of_root else scan_events)(entries, before, found)


def quoted(digest: bytes) -> bytes:
    return b'"' + digest + b'"'


FIELDS = itemgetter("position", "recorded_at", "stream", "tenant", "version")


def event_fields(entry: bytes, plain: bool) -> tuple[Any, str, str, str, int]:  # noqa: FBT001 - once an entry
    """FIELDS of an entry that is canonical and has exactly the members of an event; Refused otherwise."""
    event = parsed_entry(entry, plain)
    if type(event) is not dict or tuple(event) != MEMBERS:
        raise Refused(f"its members are not {', '.join(MEMBERS)}")
    fields = FIELDS(event)
    _, moment, stream, tenant, version = fields
    if type(version) is not int or type(moment) is not str or type(stream) is not str or type(tenant) is not str:
        raise Refused("its version is no integer, or recorded_at, stream or tenant no text")
    return cast("tuple[Any, str, str, str, int]", fields)


def scan_events(entries: list[bytes], before: int, found: Found) -> None:
    """Each entry an event of the one tenant: canonical, at its position, in time, its stream without a gap."""
    plain, odd, streams, last_time = is_plain(b"".join(entries)), found.odd, found.streams, found.times[2]
    for expected, entry in enumerate(entries, before + 1):
        try:
            position, moment, stream, tenant, version = event_fields(entry, plain)
        except Refused as wrong:
            odd.append((expected, wrong.why))
            found.holes = True
            continue
        if position != expected or type(position) is not int:
            odd.append((expected, f"the entry says that its position is {position}"))
        if moment < last_time or not RECORDED_AT.fullmatch(moment):
            odd.append((expected, f"it was recorded at {moment}, after an entry of {last_time or 'nothing'}"))
        if tenant != (found.tenant or tenant):
            odd.append((expected, f"it is of tenant {tenant}, the log of {found.tenant}"))
        if not found.times[1]:
            found.times, found.tenant = (moment, expected, moment), tenant
        last_time = max(last_time, moment)
        known = streams.get(stream)
        if known is None:
            streams[stream] = (version, expected, version)
        else:
            if version != known[2] + 1:
                found.check_version(stream, expected, version, known[2])
                version = min(max(version, known[2]), known[2] + 1)  # so that one fault is named once
            streams[stream] = (known[0], known[1], version)
    found.times = (*found.times[:2], last_time)


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
        found.checkpoints.setdefault(city.origin, []).append((position, city.size, city.root))


def scan_all(job: Job, processes: int) -> Found:
    """The whole log, piece by piece; ends at the first piece of which nothing is there: the rest is missing too."""
    bundles, piece = -(-job.size // TILE), 16
    jobs = (dataclasses.replace(job, first=at, end=min(at + piece, bundles)) for at in range(0, bundles, piece))
    total, told, window, ended = Found(), time.monotonic(), threading.Semaphore(4 * processes), threading.Event()
    pool = multiprocessing.Pool(processes) if processes > 1 else None
    try:
        # The pool would take all jobs at once, of which a false checkpoint may announce any number.
        paced = takewhile(lambda _: window.acquire() and not ended.is_set(), jobs)
        for found in pool.imap(scan, paced) if pool else map(scan, paced):
            window.release()
            first, done = len(total.roots) * TILE + 1, min((len(total.roots) + len(found.roots)) * TILE, job.size)
            total.join(found)
            if merged(found.missing) == merged(found.no_tile) == ((first, done),):
                total.missing.append((first, job.size))
                break
            if time.monotonic() > told + PROGRESS:
                told = time.monotonic()
                sys.stderr.write(f"  {done:,} of {job.size:,} entries\n")
    finally:
        if pool:
            ended.set()
            window.release()
            pool.terminate()
            pool.join()
    return total


# ---- The steps. Audit has those of a log and of a proof alike, by number; what is left to a subclass says so.

STEPS = {
    1: ("the key", "whose signature counts, and why"),
    2: ("the checkpoint", "the holder of the key signed this size and this root"),
    3: ("witnesses", "outsiders saw the same checkpoint, so that it is the same for everyone"),
    4: ("the entries", "what was read is exactly what the root was signed for"),
    5: ("the hash tiles", "the tiles from which others compute proofs fit the entries"),
    6: ("the form of the entries", "each is canonical, in its place, not earlier than the last; no stream has a gap"),
    7: ("since an earlier visit", "nothing that was seen then has changed or gone"),
    8: ("the root log", "the log that holds all cities' checkpoints holds this one"),
    9: ("disclosed values", "names and texts are those whose digests were recorded"),
    10: ("the archive's seal", "every file of the archive is there as it was sealed, and no other"),
    11: ("the time stamp", "an outside authority saw the root log's checkpoint at that time"),
}
Result = tuple[str, list[str], Ranges]


class Skipped(Exception):
    """The step cannot be taken here; the text says why."""


@dataclass(frozen=True)
class Options:
    """What the reader brings along; each as text, not as the name of a file, but for the folder."""

    keys: tuple[Key, ...] = ()
    policy: Policy | None = None
    keep: Path | None = None
    since: bytes | None = None
    disclosures: tuple[tuple[int | None, str], ...] = ()  # (position or None, disclosure)
    processes: int | None = None


class Audit:
    """One log or one proof under verification."""

    def __init__(self, target: str, options: Options, source: Source | None, checkpoint: bytes | None) -> None:
        self.target, self.options, self.source = target, options, source
        self.keys: list[Key] = []
        self.note: Checkpoint | None = None
        self.problem = "there is no checkpoint"
        try:
            self.note = parse_checkpoint(checkpoint) if checkpoint is not None else None
        except Refused as wrong:
            self.problem = f"the checkpoint cannot be read: {wrong.why}"
        self.kept_folder, self.kept = self._kept(self.note.origin) if self.note else (None, None)

    def _kept(self, origin: str) -> tuple[Path | None, Folder | None]:
        """Where this log is kept, and what is kept there by now."""
        if self.options.keep is None:
            return None, None
        folder = self.options.keep / quote(origin, safe="").replace(".", "%2E", origin.startswith("."))[:200]
        return folder, Folder(folder) if (folder / "checkpoint").is_file() else None

    @property
    def checkpoint(self) -> Checkpoint:
        if self.note is None:
            raise Skipped(self.problem)
        return self.note

    def report(self) -> Report:
        """Take every step, in order."""
        steps = []
        for number, (title, establishes) in STEPS.items():
            take = getattr(self, f"step_{number}" if self.note or number in {1, 2, 10, 11} else "without_checkpoint")
            try:
                outcome, details, positions = take()
            except Refused as refusal:
                outcome, details, positions = FAILED, [refusal.why], refusal.positions
            except Skipped as why:
                outcome, details, positions = NOT_CHECKED, [str(why)], ()
            steps.append(Step(number, title, establishes, outcome, tuple(details), merged(positions)))
        if self.note is None:
            return Report(self.target, steps=tuple(steps))
        return Report(self.target, self.note.origin, self.note.size, self.note.root.hex(), tuple(steps))

    def without_checkpoint(self) -> Result:
        raise Skipped(self.problem)

    def step_1(self) -> Result:
        """The trusted key: given, listed in the policy, kept, or offered; in this order."""
        if self.note is None:
            raise Refused(self.problem)
        origin = self.note.origin
        offered = self.source.read("key", MAX_NOTE) if self.source else None
        kept = self.kept.read("key", MAX_NOTE) if self.kept else None
        self.keys, why = trusted(self.options, origin, kept, offered)
        details = [f"{key.text} {why}" for key in self.keys]
        offer = (offered or b"").decode("utf-8", "replace").strip()
        if offer and not {key.text for key in self.keys}.issuperset(offer.splitlines()):
            details.append(f"the log itself now offers another key, which is not trusted: {offer[:200]}")
        for other in self.options.keep.glob("*/address") if self.options.keep else ():
            if other.parent != self.kept_folder and other.read_text("utf-8") == self.target:
                raise Refused(f"this address gave another log at an earlier visit, kept in {other.parent}")
        return OK, details, ()

    def step_2(self) -> Result:
        """The checkpoint is signed by the key; a signature of it that does not hold refuses the note."""
        if not self.keys:
            raise Skipped("there is no trusted key, or no checkpoint") if self.note else Refused(self.problem)
        if not signers(self.checkpoint.note, self.keys):
            names = ", ".join(name for name, *_ in self.checkpoint.note.signatures)
            raise Refused(f"it is not signed by the trusted key but by others, named {names}. If the log has a new key,"
                          " have it confirmed from outside and give both, a line each, with --key.")  # fmt: skip
        return OK, [f"{self.checkpoint.origin}: {self.checkpoint.size} entries, root {self.checkpoint.root.hex()}"], ()

    def step_3(self) -> Result:
        """Cosignatures of the policy's witnesses, and its quorum."""
        note, policy = self.checkpoint.note, self.options.policy
        alone = "without outside witnesses the operator could show different people different logs"
        if policy is None:
            others = len(note.signatures) - len([1 for name, *_ in note.signatures if name == self.checkpoint.origin])
            have = f"{others} cosignatures, but no --policy that says whose count" if others else "no cosignature"
            raise Skipped(f"{have}: {alone}")
        seen = signers(note, policy.witnesses.values())
        names = [f"{name} {seen[key.text]}" for name, key in policy.witnesses.items() if key.text in seen]
        if not policy.met(seen, policy.quorum):
            raise Refused(f"the quorum {policy.quorum} is not met by {'; '.join(names) or 'no valid cosignature'}")
        return OK, names + ([f"the policy asks for no witness: {alone}"] if policy.quorum == "none" else []), ()

    def disclosures_in(self, places: Iterable[tuple[int, bytes]], held: Iterable[tuple[int | None, str]]) -> Result:
        """Each of the held disclosures stands in one of the entries, at its own position when it has one."""
        outcome, details, entries = OK, [], dict(places)
        positions: list[tuple[int, int]] = []
        for position, text in held:
            name, digest = opened(text)
            found = [at for at, entry in entries.items() if quoted(digest) in entry and position in {None, at}]
            where = [f"position {at}, {member_of(json.loads(entries[at]), digest.decode())}" for at in found]
            elsewhere = f"stands in no entry{f' at {position}' if position else ''}: altered, or of another log"
            details.append(f"{name}: {'; '.join(where) or elsewhere}")
            if not found:
                outcome = FAILED
                positions.extend([(position, position)] if position else [])
        return outcome, details, tuple(positions)

    def earlier(self) -> list[tuple[str, Checkpoint]]:
        """The checkpoints of earlier visits, smallest first, each signed by the key."""
        kept = self.kept.read("checkpoint", MAX_NOTE) if self.kept else None
        notes = [("kept", kept), ("given with --since", self.options.since)]
        found = []
        for name, data in notes:
            if data is not None:
                old = parse_checkpoint(data)
                if old.origin != self.checkpoint.origin or not signers(old.note, self.keys):
                    raise Refused(f"the checkpoint {name} is of {old.origin}, or not signed by the trusted key")
                found.append((name, old))
        if not found:
            raise Skipped("nothing kept of an earlier visit: give --keep FOLDER now, and again at the next one")
        found.sort(key=lambda each: each[1].size)
        newest, size = found[-1][1].size, self.checkpoint.size
        if newest > size:
            gone = ((size + 1, newest),)
            raise Refused(f"the log went back from {newest} to {size}: {spoken(gone)} are gone", gone)
        return found

    def step_10(self) -> Result:
        raise Skipped("this is no archive")

    def step_11(self) -> Result:
        raise Skipped("a time stamp stands on the live root log only")


def trusted(options: Options, origin: str, kept: bytes | None, offered: bytes | None) -> tuple[list[Key], str]:
    """The keys trusted for a log, and why."""
    policy = options.policy
    listed = (*options.keys, *(policy.logs if policy else ()))
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


class ProofAudit(Audit):
    """One entry with its proof."""

    def __init__(self, target: str, options: Options, source: Source | None, data: bytes, number: int | None) -> None:
        proof = parse_proof(data)
        self.proof, self.number, self.position = proof, number, proof.index + 1
        super().__init__(target, options, source, None)
        self.note = proof.checkpoint
        self.kept_folder, self.kept = self._kept(self.note.origin)

    def step_4(self) -> Result:
        proof, at = self.proof, ((self.position, self.position),)
        leaf = leaf_hash(proof.extra)
        if self.number not in {None, self.position}:
            raise Refused(f"position {self.number} was asked for, the proof is of {self.position}", at)
        if not included(proof.index, self.checkpoint.size, leaf, self.checkpoint.root, proof.path):
            raise Refused(f"the entry, its position {self.position} or the proof was altered", at)
        return OK, [f"position {self.position}, leaf hash {leaf.hex()}"], ()

    def step_5(self) -> Result:
        raise Skipped("a single proof needs no tiles")

    def step_6(self) -> Result:
        found = Found()
        check = scan_checkpoints if is_root(self.checkpoint.origin) else scan_events
        check([self.proof.extra], self.proof.index, found)
        if found.odd:
            raise Refused(f"position {self.position}: {found.odd[0][1]}", ((self.position, self.position),))
        return OK, ["looked at this entry alone"], ()

    def step_7(self) -> Result:
        """The same entry as in a kept tile; and, live, a log that continues the earlier checkpoint."""
        details, (number, offset), at = [], divmod(self.proof.index, TILE), ((self.position, self.position),)
        for name, old in self.earlier():
            if self.kept and name == "kept" and self.proof.index < old.size:
                tile = read_tile(self.kept, 0, number, min(TILE, old.size - number * TILE)) or b""
                if slices(tile)[offset : offset + 1] not in ([], [leaf_hash(self.proof.extra)]):
                    raise Refused(f"position {self.position} holds another entry than it held then", at)
            if self.source is None and old.size != self.checkpoint.size:
                raise Skipped("a proof in a file does not show how the log grew since: verify the log itself")
            path = consistency_path(self.source, old.size, self.checkpoint.size) if self.source else []
            if old.size and not consistent(old.size, self.checkpoint.size, old.root, self.checkpoint.root, path):
                where = ((1, old.size),)
                raise Refused(
                    f"the log does not continue the checkpoint {name}: {spoken(where)} differ somewhere", where
                )
            details.append(f"continues the checkpoint {name} of {old.size} entries")
        return OK, details, ()

    def step_8(self) -> Result:
        raise Skipped("verify the log itself for it")

    def step_9(self) -> Result:
        if not self.options.disclosures:
            raise Skipped("no --disclosure was given")
        return self.disclosures_in([(self.position, self.proof.extra)], self.options.disclosures)


def is_root(origin: str) -> bool:
    return origin.endswith("/root")


class LogAudit(Audit):
    """A whole log: live, in an archive, or in a folder. `cities` are verified logs, to compare the root log with."""

    def __init__(self, target: str, options: Options, source: Source, **more: Any) -> None:
        """`archive`: what was unpacked; `cities`: other LogAudits, for the root log."""
        # The proof by the root log first: whatever it holds, the log must then hold as well.
        self.root_proof = source.read("root-proof", MAX_BUNDLE) if isinstance(source, Web) else None
        super().__init__(target, options, source, source.read("checkpoint", MAX_NOTE))
        self.log = source
        self.archive: Unpacked | None = more.get("archive")
        self.cities: Sequence[LogAudit] = more.get("cities", ())
        self.found, self._bundle = Found(), (-1, list[bytes]())
        self.wrong_tiles: list[tuple[str, tuple[int, int]]] = []
        self.fresh: Path | None = None

    def report(self) -> Report:
        try:
            report = super().report()
            if report.verified and self.fresh and self.kept_folder:
                self._keep(self.fresh, self.kept_folder)
            return report
        finally:
            if self.fresh:
                shutil.rmtree(self.fresh, ignore_errors=True)

    def _keep(self, fresh: Path, folder: Path) -> None:
        """Add the tiles of this visit to what is kept, and at last its checkpoint."""
        line = "".join(f"{key.text}\n" for key in self.keys)
        for name, text in (("address", self.target), ("key", line), ("checkpoint", str(self.checkpoint.note))):
            (fresh / name).write_text(text, "utf-8", newline="")
        files = sorted(file for file in fresh.rglob("*") if file.is_file())
        for file in sorted(files, key=lambda file: file.name == "checkpoint" and file.parent == fresh):
            goal = folder / file.relative_to(fresh)
            goal.parent.mkdir(parents=True, exist_ok=True)
            file.replace(goal)

    def step_4(self) -> Result:
        """All entries hash to the signed root; where not, the smallest place that the evidence shows."""
        size, root = self.checkpoint.size, self.checkpoint.root
        kept = parse_checkpoint(self.kept.read("checkpoint", MAX_NOTE) or b"") if self.kept else None
        if self.kept_folder:
            self.kept_folder.mkdir(parents=True, exist_ok=True)
            self.fresh = Path(tempfile.mkdtemp(prefix="new-", dir=self.kept_folder))
        digests = tuple(opened(text)[1] for _, text in self.options.disclosures)
        job = Job(self.log, size, is_root(self.checkpoint.origin), kept=self.kept, kept_size=kept.size if kept else 0,
                  fresh=self.fresh, digests=digests)  # fmt: skip
        processes = self.options.processes or (os.cpu_count() or 1 if size > 20_000 else 1)
        self.found = found = scan_all(job, processes)
        self.wrong_tiles = list(self._wrong_tiles()) if len(found.roots) * TILE >= size else []
        details, positions, computed = [], list(found.missing), tree_root(found.roots)
        if found.missing:
            details.append(f"{spoken(merged(found.missing))}: no entry is there")
        if computed != root:
            served = [found.served.get(number, each) for number, each in enumerate(found.roots)]
            later = [(kept.size + 1, size)] if kept and kept.size < size else [(1, size)]
            odd = [(at, at) for at, _ in found.odd]
            nearest = found.altered or found.unlike_kept or [at for _, at in self.wrong_tiles] or odd or later
            if tree_root(served) == root:
                details.append(f"{spoken(merged(nearest))} altered: the hash tiles still lead to the signed root")
            else:
                details.append(f"the root of the entries is {computed.hex()}; the evidence: {spoken(merged(nearest))}")
            positions += nearest
        return (FAILED, details, tuple(positions)) if details else (OK, [f"{size} entries, hashed one by one"], ())

    def _wrong_tiles(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """The tiles above level 0 that fit neither the entries nor the tiles below, with the positions under each."""
        hashes, span = self.found.roots[: self.checkpoint.size // TILE], TILE  # a hash stands for so many entries
        for level in range(1, 64):
            for first in range(0, len(hashes), TILE):
                ours = hashes[first : first + TILE]
                path = tile_path(level, first // TILE, len(ours))
                try:
                    theirs = slices(read_tile(self.log, level, first // TILE, len(ours)) or b"")
                except Refused:
                    theirs = []
                if len(theirs) != len(ours):
                    yield f"{path} is not there or not whole", (first * span + 1, (first + len(ours)) * span)
                    continue
                for at, hashed in enumerate(theirs, start=first):
                    if level == 1 and hashed == self.found.served.get(at):
                        hashes[at] = hashed  # What is wrong below is said there.
                    elif hashed != hashes[at]:
                        yield f"{path} does not fit", (at * span + 1, (at + 1) * span)
            hashes = [tree_root(hashes[at : at + TILE]) for at in range(0, len(hashes) - TILE + 1, TILE)]
            span *= TILE

    def step_5(self) -> Result:
        altered, absent = merged(self.found.altered), merged(self.found.no_tile)
        details = [f"{path} ({spoken((at,))} below it)" for path, at in self.wrong_tiles[:20]]
        if altered:
            whose = "" if tree_root(self.found.roots) == self.checkpoint.root else ", or the entry is"
            details.append(f"{spoken(altered)}: the level-0 tile has another hash (the tile is wrong{whose})")
        if absent:
            details.append(f"{spoken(absent)}: the level-0 tile is not there or not whole")
        positions = (*altered, *absent, *(at for _, at in self.wrong_tiles))
        return (FAILED, details, positions) if details else (OK, ["every level, full and partial tiles"], ())

    def step_6(self) -> Result:
        odd = [*self.found.odd]
        for entries in self.found.checkpoints.values():
            for (_, size, root), (position, later, other) in pairwise(entries):
                if later < size or (later == size and root != other):
                    odd.append((position, f"the city's log went back from {size} to {later}, or has two roots"))
        details = [f"position {position}: {why}" for position, why in odd[:20]]
        details += [f"and {len(odd) - 20} more"] if len(odd) > 20 else []
        if odd:
            return FAILED, details, tuple((at, at) for at, _ in odd)
        first, _, last = self.found.times
        return (
            OK,
            [f"{len(self.found.streams)} streams of tenant {self.found.tenant}, {first} to {last}"] if last else [],
            (),
        )

    def step_7(self) -> Result:
        """The beginning of the log has the roots of earlier checkpoints; kept tiles name each position that has not."""
        changed = merged(self.found.unlike_kept)
        if changed:
            kept = parse_checkpoint(self.kept.read("checkpoint", MAX_NOTE) or b"") if self.kept else self.checkpoint
            gone = ((self.checkpoint.size + 1, kept.size),) if kept.size > self.checkpoint.size else ()
            raise Refused(f"{spoken((*changed, *gone))}: not what was there at the earlier visit", (*changed, *gone))
        details, fits = [], 0
        for name, old in self.earlier():
            if self.root_at(old.size) != old.root:
                where = ((fits + 1, old.size),)
                raise Refused(f"the first {old.size} entries are not those of the checkpoint {name}: something in"
                              f" {spoken(where)} was changed", where)  # fmt: skip
            details.append(f"the first {old.size} entries are those of the checkpoint {name}")
            fits = old.size
        return OK, details, ()

    def root_at(self, size: int) -> bytes:
        """The root that the log had at an earlier size, from its entries as they are now."""
        whole, rest = divmod(size, TILE)
        roots = self.found.roots[:whole]
        if rest:
            width = min(TILE, self.checkpoint.size - whole * TILE)
            roots = [*roots, tree_root([leaf_hash(entry) for entry in read_bundle(self.log, whole, width)[0][:rest]])]
        return tree_root(roots)

    def step_8(self) -> Result:
        if is_root(self.checkpoint.origin):
            return self._cities_fit()
        if not isinstance(self.log, Web):
            raise Skipped("an archive holds no proof by the root log: verify the live log for it")
        if self.root_proof is None:
            raise Refused(f"{self.log.prefix}/root-proof is not there: nothing shows that the root log holds this")
        proof, origin = parse_proof(self.root_proof), f"{self.checkpoint.origin.rpartition('/')[0]}/root"
        folder = self._kept(origin)[0]
        kept = Folder(folder).read("key", MAX_NOTE) if folder else None
        offered = Web(f"{self.log.prefix.rpartition('/')[0]}/root").read("key", MAX_NOTE)
        listed = (*self.options.keys, *(self.options.policy.logs if self.options.policy else ()))
        options = self.options if any(key.name == origin for key in listed) else Options()
        keys, why = trusted(options, origin, kept, offered)
        if proof.checkpoint.origin != origin or not signers(proof.checkpoint.note, keys):
            raise Refused(f"the proof is not by the root log {origin}, or not signed by its key")
        city, size = parse_checkpoint(proof.extra), self.checkpoint.size
        if not included(proof.index, proof.checkpoint.size, leaf_hash(proof.extra), proof.checkpoint.root, proof.path):
            raise Refused("the proof does not lead to the root log's root")
        if city.origin != self.checkpoint.origin or not signers(city.note, self.keys):
            raise Refused(f"the root log's entry is a checkpoint of {city.origin}, or not signed by the trusted key")
        if city.size > size:
            gone = ((size + 1, city.size),)
            raise Refused(f"the root log holds a checkpoint of {city.size} entries, the log shows {size}:"
                          f" {spoken(gone)} are withheld", gone)  # fmt: skip
        if self.root_at(city.size) != city.root:
            raise Refused(f"the root log holds another root for the first {city.size} entries", ((1, city.size),))
        at = f"position {proof.index + 1} of {origin} holds the checkpoint of {city.size} entries"
        details = [at, f"{keys[0].text} {why}"]
        return OK, details + (["the newest checkpoint is not in it yet"] if city.size < size else []), ()

    def _cities_fit(self) -> Result:
        """Every checkpoint that the root log ever took of a city is the beginning of that city's log as it is now."""
        if not self.cities:
            raise Skipped("verify the whole service to compare the cities' logs with every checkpoint in this one")
        compared = 0
        for city in self.cities:
            fits = 0
            for position, size, root in self.found.checkpoints.get(city.checkpoint.origin, ()):
                if size <= city.checkpoint.size:
                    if city.root_at(size) != root:
                        where = spoken(((fits + 1, size),))
                        why = f"its checkpoint of {size} entries, here at {position}, does not fit it as it is now"
                        raise Refused(f"{city.checkpoint.origin}: {why}; something in its {where} was changed",
                                      ((position, position),))  # fmt: skip
                    fits, compared = size, compared + 1
        return OK, [f"{compared} checkpoints of {len(self.cities)} logs fit these logs as they are now"], ()

    def step_9(self) -> Result:
        """Values that the reader holds, and the public ones of an archive."""
        held = list(self.options.disclosures)
        public = self.log.root / "disclosures/public.jsonl" if isinstance(self.log, Folder) else None
        if not held and not (public and public.is_file()):
            raise Skipped("no --disclosure was given, and there is no archive with public ones")
        entries = ((at, self._entry(at)) for _, at in self.found.seen)
        outcome, details, positions = self.disclosures_in(entries, held)
        count, wrong = 0, []
        if public and public.is_file():
            with public.open("r", encoding="utf-8", errors="replace") as lines:
                for position, text in (found for line in lines for found in disclosures_of(line)):
                    count += 1
                    if position is None or quoted(opened(text)[1]) not in self._entry(position):
                        wrong.append((position or 0, position or 0))
        if wrong:
            details.append(f"{spoken(merged(wrong))}: a public disclosure in the archive is not of that entry")
        details += [f"{count - len(wrong)} public disclosures of the archive stand in their entries"] if count else []
        return FAILED if wrong else outcome, details, (*positions, *wrong)

    def _entry(self, position: int) -> bytes:
        """The entry at a position, nothing when it is not there; the last bundle is remembered."""
        number, offset = divmod(position - 1, TILE)
        if self._bundle[0] != number:
            width = min(TILE, self.checkpoint.size - number * TILE)
            self._bundle = number, read_bundle(self.log, number, width)[0] if position > 0 and width > 0 else []
        return self._bundle[1][offset] if offset < len(self._bundle[1]) else b""

    def step_10(self) -> Result:
        """SHA256SUMS.note: signed by the log's key over the hash of every member."""
        seal = self.log.read("SHA256SUMS.note", 1 << 30) if isinstance(self.log, Folder) else None
        if seal is None and self.archive is None:
            raise Skipped("this is no archive")
        wrong = [*self.archive.problems] if self.archive else []
        sums = self.archive.sums if self.archive else hashed_files(cast("Folder", self.log).root)
        if seal is None:
            raise Refused("; ".join([*wrong, "SHA256SUMS.note is not there: the archive is cut off or not whole"]))
        note = parse_note(seal)
        if not signers(note, self.keys):
            wrong.append("the seal is not signed by the trusted key")
        title, *lines = note.text[:-1].split("\n")
        listed = {name: value for value, _, name in (line.partition("  ") for line in lines)}
        if title != "kyodo archive v1" or len(listed) != len(lines):
            wrong.append("the seal is not of an archive, version 1, or lists a file twice")
        wrong += [f"{name} was added" for name in sorted(sums.keys() - listed.keys())]
        wrong += [f"{name} is not there" for name in sorted(listed.keys() - sums.keys())]
        wrong += [f"{name} was altered" for name in sorted(sums.keys() & listed.keys()) if sums[name] != listed[name]]
        return (FAILED, wrong[:50], ()) if wrong else (OK, [f"{len(sums)} files"], ())

    def step_11(self) -> Result:
        if not isinstance(self.log, Web):
            raise Skipped("a time stamp stands on the live root log only")
        root = f"{self.log.prefix.rpartition('/')[0]}/root"
        if Web(root).read("timestamp", MAX_NOTE) is None:
            raise Skipped("there is none: only the operator's clock dates this log")
        how = "openssl ts -verify -in timestamp -data CHECKPOINT -CAfile AUTHORITY.pem"
        raise Skipped(f"there is one, of the checkpoint whose size its header tells: curl -OD- {root}/timestamp; {how}")


# ---- Archives.

MEMBER = re.compile(r"(?!.*(?:^|/)\.)[A-Za-z0-9._/-]+")  # a plain path below the archive, no part of it hidden or ..
LIMITS = (("tile/entries/", MAX_BUNDLE), ("tile/", TILE * HASH), ("", 1 << 34))  # bytes of a member


@dataclass(frozen=True)
class Unpacked:
    """The SHA-256 of each member of an archive but its seal, and what is wrong with the file itself."""

    sums: dict[str, str]
    problems: list[str]


def unpack(archive: Path, folder: Path) -> Unpacked:
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
) -> Report:
    """Verify a log, a service, a proof or an archive; `key`, `policy` and `disclosures` are texts or names of files.

    Raises CannotCheck where there is nothing to judge.
    """
    try:
        options = Options(
            keys=tuple(parse_key(line) for line in lines_of(key or "")),
            policy=parse_policy(text_of(policy)) if policy else None,
            keep=keep,
            since=since.read_bytes() if since else None,
            disclosures=tuple(
                found for each in disclosures for line in lines_of(each) for found in disclosures_of(line)
            ),
            processes=processes,
        )
        if re.match("https?://", target):
            return verify_web(target.rstrip("/"), options)
        path = Path(target)
        if path.is_dir():
            return LogAudit(target, options, Folder(path)).report()
        with path.open("rb") as file:
            start = file.read(4096)
        if start.startswith(b"c2sp.org/tlog-proof@"):
            return ProofAudit(target, options, None, path.read_bytes(), None).report()
        if not start.startswith(b"\x1f\x8b"):
            raise CannotCheck(f"{target} is neither an archive (.tar.gz) nor a .tlog-proof")
        with tempfile.TemporaryDirectory(prefix="kyodo-verify-") as folder:
            archive = unpack(path, Path(folder))
            return LogAudit(target, options, Folder(Path(folder)), archive=archive).report()
    except OSError as broken:
        raise CannotCheck(f"{broken.filename or target} cannot be read: {broken.strerror or broken}") from broken
    except Refused as wrong:  # before any step: what the reader gave, or a proof that is none
        raise CannotCheck(wrong.why) from wrong


def verify_web(target: str, options: Options) -> Report:
    """A URL: of a proof, of a log, or of the service with all its logs."""
    prefix, proof, number = target.rpartition("/proof/")
    if proof and number.isdecimal():
        data = Web(prefix).read(f"proof/{number}", MAX_BUNDLE)
        if data is None:
            raise CannotCheck(f"there is no proof at {target}")
        return ProofAudit(target, options, Web(prefix), data, int(number)).report()
    if Web(target).read("checkpoint", MAX_NOTE) is not None:
        return LogAudit(target, options, Web(target)).report()
    listing = Web(target).read("log", MAX_BUNDLE)
    try:
        names = [str(each["name"]) for each in json.loads(listing or b"")["logs"]]
    except (ValueError, KeyError, TypeError) as wrong:
        raise CannotCheck(
            f"{target} is neither a log (…/log/<city>) nor a service that lists its logs at /log"
        ) from wrong
    cities: list[LogAudit] = []
    parts: list[Report] = []
    for name in [*sorted(set(names) - {"root"}), "root"]:  # the root log last, to compare all others with it
        prefix = f"{target}/log/{quote(name, safe='')}"
        audit = LogAudit(prefix, options, Web(prefix), cities=cities if name == "root" else ())
        parts.append(audit.report())
        cities += [audit] if name != "root" and audit.note else []
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
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    given = parser.parse_args(argv)
    try:
        report = verify(given.target, key=given.key, policy=given.policy, keep=given.keep, since=given.since,
                        disclosures=given.disclosure, processes=given.processes)  # fmt: skip
    except CannotCheck as why:
        sys.stderr.write(f"verify.py: {why}\n")
        return 2
    if given.json:
        facts = {**dataclasses.asdict(report), "verified": report.verified}
        sys.stdout.write(json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.write(as_text(report) + "\n")
    return 0 if report.verified else 1


if __name__ == "__main__":
    sys.exit(main())
