"""Merkle proofs against vectors that nobody here wrote, and the three roots of a log against one another."""

from __future__ import annotations

import json
import random
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tenants.database import Database
from tenants.event_store import TenantRecorder
from tenants.ledger.keys import LogKeys
from tenants.ledger.merkle import (
    Frontier,
    ProofWrong,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    tree_root,
)
from tenants.ledger.publish import Publisher
from tenants.ledger.store import PublishedLog
from tenants.ledger.tiles import ENTRIES, tiles_of, unbundled

VECTORS = Path(__file__).parent / "vectors"


def vectors(kind: str) -> dict[str, dict[str, Any]]:
    folder = VECTORS / kind
    return {str(file.relative_to(folder)): json.loads(file.read_text()) for file in sorted(folder.rglob("*.json"))}


def hashes(encoded: Sequence[str] | None) -> list[bytes]:
    return [b64decode(each or "") for each in encoded or ()]


def refused(check: Callable[..., None], *claim: Any) -> bool:
    try:
        check(*claim)
    except ProofWrong:
        return True
    return False


def test_all_196_vectors_of_transparency_dev_are_accepted_or_refused_as_they_say() -> None:
    wrong, count = [], 0
    for name, vector in vectors("inclusion").items():
        proof, (leaf, top) = hashes(vector["proof"]), hashes([vector["leafHash"], vector["root"]])
        claim = (proof, vector["leafIdx"], vector["treeSize"], leaf, top)
        count += 1
        if refused(check_inclusion, *claim) != vector["wantErr"]:
            wrong.append(f"inclusion/{name}: {vector['desc']}")
    for name, vector in vectors("consistency").items():
        proof, (old, top) = hashes(vector["proof"]), hashes([vector["root1"], vector["root2"]])
        count += 1
        if refused(check_consistency, proof, vector["size1"], vector["size2"], old, top) != vector["wantErr"]:
            wrong.append(f"consistency/{name}: {vector['desc']}")
    assert wrong == []
    assert count == 196


class Tree:
    """A whole tree in memory, every perfect subtree of it."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.levels = [list(leaves)]
        while len(below := self.levels[-1]) > 1:
            self.levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])

    def __call__(self, level: int, index: int) -> bytes:
        return self.levels[level][index]


def flips(hashed: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(hashed)):
        changed = bytearray(hashed)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def one_bit_changes(proof: Sequence[bytes], numbers: Sequence[int], hashed: Sequence[bytes]) -> Iterator[tuple]:
    """The claim with one bit changed: of each hash of the proof, of each number, of each hash beside them."""
    for at, each in enumerate(proof):
        for changed in flips(each):
            yield ([*proof[:at], changed, *proof[at + 1 :]], *numbers, *hashed)
    for at, number in enumerate(numbers):
        for bit in range(64):
            yield (list(proof), *numbers[:at], number ^ 1 << bit, *numbers[at + 1 :], *hashed)
    for at, each in enumerate(hashed):
        for changed in flips(each):
            yield (list(proof), *numbers, *hashed[:at], changed, *hashed[at + 1 :])


def cut_or_grown(proof: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The proof with a hash less, more or elsewhere."""
    for at in range(len(proof)):
        yield [*proof[:at], *proof[at + 1 :]]
        yield [*proof[:at], proof[at], *proof[at:]]
    for at in range(len(proof) - 1):
        if proof[at] != proof[at + 1]:
            yield [*proof[:at], proof[at + 1], proof[at], *proof[at + 2 :]]
    yield [*proof, bytes(32)]
    yield [bytes(32), *proof]


def inclusion_path(index: int, size: int) -> list[bool] | None:
    """On which side each hash of the proof stands, RFC 9162 §2.1.3.2; None where the tree has no such leaf."""
    if not 0 <= index < size:
        return None
    fn, sn, left = index, size - 1, []
    while sn:
        left.append(bool(fn & 1 or fn == sn))
        while fn == sn and not fn & 1:
            fn, sn = fn >> 1, sn >> 1
        fn, sn = fn >> 1, sn >> 1
    return left


def consistency_path(old: int, size: int) -> list[bool] | None:
    """On which side each hash of the proof stands, RFC 9162 §2.1.4.2; None where one cannot begin the other."""
    if not 0 < old <= size:
        return None
    fn, sn, left = old - 1, size - 1, [not old & old - 1, old == size]
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    while sn:
        left.append(bool(fn & 1 or fn == sn))
        while fn == sn and fn and not fn & 1:
            fn, sn = fn >> 1, sn >> 1
        fn, sn = fn >> 1, sn >> 1
    return left


def assert_proofs_hold(size: int, read: Callable[[int, int], bytes], chosen: random.Random) -> None:
    """An inclusion and a consistency proof of the tree: each checks, and with anything changed it does not.

    Sizes and indexes are hashed into no root. Where another pair of them asks for the very same path, the proof is the
    same proof; which size it is says the signature of the checkpoint.
    """
    top, index, old = root(size, read), chosen.randrange(size), chosen.randrange(1, size + 1)
    old_root, leaf = root(old, read), read(0, index)
    for check, path, proof, numbers, hashed in (
        (check_inclusion, inclusion_path, inclusion_proof(index, size, read), (index, size), (leaf, top)),
        (check_consistency, consistency_path, consistency_proof(old, size, read), (old, size), (old_root, top)),
    ):
        check(proof, *numbers, *hashed)
        for changed in one_bit_changes(proof, numbers, hashed):
            same = changed[1:3] != numbers and path(*changed[1:3]) == path(*numbers)
            assert refused(check, *changed) != same, (check, numbers, changed[1:3])
        for other in cut_or_grown(proof):
            assert refused(check, other, *numbers, *hashed)


def test_a_hash_of_another_length_is_refused_even_where_it_hashes_to_the_same() -> None:
    """A node is a hash of two hashes side by side; where the first one ends must not be for a proof to choose."""
    leaves = [leaf_hash(bytes([number])) for number in range(3)]
    tree = Tree(leaves)
    top = root(3, tree)
    sibling, right = inclusion_proof(0, 3, tree)
    check_inclusion([sibling, right], 0, 3, leaves[0], top)
    assert refused(check_inclusion, [sibling[1:], right], 0, 3, leaves[0] + sibling[:1], top)
    assert refused(check_inclusion, [], 0, 1, b"", b"")
    two, left = consistency_proof(2, 3, tree), root(2, tree)
    check_consistency(two, 2, 3, left, top)
    assert refused(check_consistency, [two[0][1:]], 2, 3, left + two[0][:1], top)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 255, 256, 257, 4_097, 100_000])
def test_proofs_of_random_trees_check_and_none_does_with_one_bit_changed(size: int) -> None:
    chosen = random.Random(size)
    leaves = [leaf_hash(chosen.randbytes(8)) for _ in range(size)]
    tree = Tree(leaves)
    assert root(size, tree) == tree_root(leaves)
    assert_proofs_hold(size, tree, chosen)


def test_every_proof_between_all_small_sizes_checks() -> None:
    tree = Tree([leaf_hash(bytes([number])) for number in range(40)])
    for size in range(1, 41):
        top = root(size, tree)
        for other in range(size):
            check_inclusion(inclusion_proof(other, size, tree), other, size, tree(0, other), top)
            proof = consistency_proof(other + 1, size, tree)
            check_consistency(proof, other + 1, size, root(other + 1, tree), top)


def served_leaves(log: PublishedLog, size: int) -> list[bytes]:
    """The leaf hashes from the served tiles, every tile above them and every entry held against them."""
    levels: dict[int, list[bytes]] = {ENTRIES: [], 0: [], 1: [], 2: []}
    for tile in tiles_of(size):
        data = log.tile(tile)
        if tile.level == ENTRIES:
            levels[ENTRIES] += map(leaf_hash, unbundled(data))
        else:
            assert len(data) == 32 * tile.width
            levels[tile.level] += [data[at : at + 32] for at in range(0, len(data), 32)]
    assert levels[ENTRIES] == levels[0]
    for level in (0, 1):
        full = len(levels[level]) // 256
        assert levels[level + 1] == [tree_root(levels[level][at * 256 : at * 256 + 256]) for at in range(full)]
    return levels[0]


def assert_three_roots_agree(database: Database, keys: LogKeys, city: UUID, checkpoints: dict[int, bytes]) -> None:
    """The root that SQL folded, that the served tiles have, and that was signed; and proofs between all checkpoints."""
    log, head = PublishedLog(database, city), TenantRecorder(database, city).head()
    published = log.checkpoint()
    assert published is not None
    leaves = served_leaves(log, head.size)
    pure = Frontier().extended(leaves)[0]
    assert published.root == head.root == pure.root() == tree_root(leaves)
    assert head.frontier == pure.hashes
    for old, old_root in checkpoints.items():
        assert tree_root(leaves[:old]) == old_root == log.at(old).root
        check_consistency(log.consistency(old, head.size), old, head.size, old_root, head.root)
    for position in random.Random(head.size).sample(range(1, head.size + 1), min(head.size, 50)):
        proof = log.inclusion(position, head.size)
        check_inclusion(proof, position - 1, head.size, leaf_hash(log.entry(position)), head.root)


def grow(database: Database, keys: LogKeys, city: UUID, record: Callable[[UUID, int], None], size: int) -> dict:
    """Append in random steps with a checkpoint after each; sizes and roots of the checkpoints."""
    chosen, publisher, log, checkpoints = (
        random.Random(size),
        Publisher(database, keys),
        PublishedLog(database, city),
        {},
    )
    have = 0
    while have < size:
        step = min(size - have, chosen.randrange(1, size // 4))
        record(city, step)
        have += step
        publisher.publish()
        published = log.checkpoint()
        assert published is not None
        checkpoints[published.size] = published.root
    assert max(checkpoints) == size
    return checkpoints


def test_sql_frontier_pure_root_and_served_tiles_agree_at_3000_leaves(database, log_keys, city, record) -> None:
    checkpoints = grow(database, log_keys, city, record, 3_000)
    assert_three_roots_agree(database, log_keys, city, checkpoints)


@pytest.mark.soak
def test_sql_frontier_pure_root_and_served_tiles_agree_at_100000_leaves(database, log_keys, city, record) -> None:
    began = time.monotonic()
    checkpoints = grow(database, log_keys, city, record, 100_000)
    assert_three_roots_agree(database, log_keys, city, checkpoints)
    print(f"100,000 leaves, {len(checkpoints)} checkpoints: {time.monotonic() - began:.1f} s")
