"""Verifying a log, in events per second: `kyodo verify` over a folder of tiles, beside bare SHA-256 of the same bytes.

- ours: `verify()` from the call to the report, every step of it: signature, entries, every level of hash tiles,
  canonical form, positions, times and streams. As it runs by default, and in one process.
- quick: the same without the form of the entries.
- sha256: `hashlib.sha256(entry).digest()` in a loop over the entries in memory, nothing read, nothing compared.

The entries are those of an ordinary proposal, about 820 bytes each, in streams of eight; a log twice as long as
the one that is rebuilt, so that the start of processes is as small a part of it as for a city with a long record.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import orjson
import rfc8785

from tenants.ledger.checkpoint import Checkpoint
from tenants.ledger.merkle import leaf_hash, tree_root
from tenants.ledger.note import Signer, signed
from tenants.ledger.tiles import ENTRIES, HEIGHT, bundle, tiles_of
from tenants.ledger.verify import as_text, ed25519_holds, verify
from tests.benchmarks.append import state
from tests.benchmarks.measure import Plan, Result, rounds, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STREAM_LENGTH = 8
_TIMES = 2


def measure(_url: str, plan: Plan) -> list[Result]:
    """The row of the table that is about verifying; needs no database, as verifying does not."""
    entries = list(_entries(_TIMES * plan.events))
    size = sum(map(len, entries)) / len(entries)
    with tempfile.TemporaryDirectory(prefix="kyodo-bench-log-") as name:
        say(f"verify: writing a log of {len(entries)} entries of {size:.0f} bytes as tiles")
        _write(Path(name), entries)
        sides = {
            "ours": partial(_verified, name, len(entries)),
            "quick": partial(_verified, name, len(entries), quick=True),
            "one process": partial(_verified, name, len(entries), processes=1),
            "sha256": partial(_hashed, entries),
        }
        rates = rounds(plan.rounds, sides)
    alone = statistics.median(rates["one process"]) / statistics.median(rates["sha256"])
    return [
        Result(
            "verify_vs_sha256",
            f"verifying a log of {len(entries):,} entries of about {size:.0f} bytes, beside bare SHA-256 over them",
            "events/s",
            0.3,
            rates["ours"],
            rates["sha256"],
            f"{alone:.2f} in one process; SHA-256 runs in one",
        ),
        Result(
            "verify_quick_vs_sha256",
            "the same with --quick: every entry hashed, every tile compared, their form not looked at",
            "events/s",
            0.3,
            rates["quick"],
            rates["sha256"],
        ),
    ]


def _verified(folder: str, size: int, *, processes: int | None = None, quick: bool = False) -> float:
    ed25519_holds.cache_clear()
    began = time.perf_counter()
    report = verify(folder, processes=processes, quick=quick)
    taken = time.perf_counter() - began
    if not report.verified or report.size != size:
        raise AssertionError(f"the log of the benchmark does not verify:\n{as_text(report)}")
    return size / taken


def _hashed(entries: Sequence[bytes]) -> float:
    began = time.perf_counter()
    for entry in entries:
        sha256(entry).digest()
    return len(entries) / (time.perf_counter() - began)


def _entries(count: int) -> Iterator[bytes]:
    """Canonical envelopes as `append_events` writes them."""
    chance = random.Random(1)
    tenant, moment, stream = uuid4(), datetime(2026, 11, 23, tzinfo=UTC), UUID(int=0)
    for index in range(count):
        moment += timedelta(microseconds=chance.randrange(1, 5_000_000))
        stream = stream if index % _STREAM_LENGTH else uuid4()
        yield rfc8785.dumps(
            {
                "actor": "S/desk-1",
                "approved_by": None,
                "data": orjson.loads(state(chance)),
                "document_ref": None,
                "mode": "LIVE",
                "position": index + 1,
                "programme": {"id": "ordinance", "version": 1},
                "recorded_at": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "recorded_by": "S/desk-1",
                "schema_version": 1,
                "signatories": [],
                "stream": str(stream),
                "tenant": str(tenant),
                "type": "ProposalSubmitted",
                "version": index % _STREAM_LENGTH + 1,
            }
        )


def _write(folder: Path, entries: Sequence[bytes]) -> None:
    """The log in the layout of C2SP tlog-tiles, with its key."""
    signer = Signer.create("localhost/log/bench")
    leaves = list(map(leaf_hash, entries))
    levels = {0: leaves}
    for tile in tiles_of(len(entries)):
        if tile.level == ENTRIES:
            data = bundle(entries[tile.first : tile.first + tile.width])
        else:
            data = b"".join(_level(levels, tile.level)[tile.first : tile.first + tile.width])
        path = folder / "tile" / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    checkpoint = Checkpoint(signer.name, len(entries), tree_root(leaves))
    (folder / "checkpoint").write_text(signed(checkpoint.text, [signer]), encoding="utf-8")
    (folder / "key").write_text(f"{signer.verifier.vkey}\n", encoding="utf-8")


def _level(levels: dict[int, list[bytes]], level: int) -> list[bytes]:
    """The roots of the full tiles below: one hash of a level for each full tile of the level under it."""
    if level not in levels:
        below, width = _level(levels, level - 1), 1 << HEIGHT
        levels[level] = [tree_root(below[at : at + width]) for at in range(0, len(below) - width + 1, width)]
    return levels[level]
