"""Merkle trees over a log's entries, as RFC 6962 §2.1 and RFC 9162 §2.1 define them.

Pure: a tree is read through a function from (level, index) to the root of the perfect subtree of 2**level leaves that
begins at leaf index × 2**level. Every proof has its check beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

HASH_SIZE = 32  # bytes of SHA-256, the only hash of these logs
EMPTY_ROOT = sha256().digest()  # "The hash of an empty list is the hash of an empty string" (RFC 6962 §2.1).

if TYPE_CHECKING:
    ReadSubtree = Callable[[int, int], bytes]


class ProofWrong(Exception):
    """The proof does not lead from what is claimed to the root."""


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry): the prefix keeps a leaf from passing for a node (RFC 6962 §2.1)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right) (RFC 6962 §2.1)."""
    return sha256(b"\x01" + left + right).digest()


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """MTH of the tree over these leaf hashes, from the first to the last (RFC 6962 §2.1)."""
    return Frontier().extended(leaves)[0].root()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over the roots of 1, 2, 4 … neighbouring perfect subtrees of the same size."""
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[at], level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]


@dataclass(frozen=True)
class Frontier:
    """All that is needed of a tree to grow it: its size and the roots of its perfect subtrees, largest first.

    RFC 6962 §2.1 splits a tree of n leaves at the largest power of two smaller than n, and its right part again;
    what stands to the left of each split is perfect. So there is one subtree for every one bit of the size.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"a tree of size {self.size} does not have {len(self.hashes)} perfect subtrees")

    def append(self, leaf: bytes) -> Frontier:
        """The frontier with one more leaf, which closes a perfect subtree for every trailing one bit of the size."""
        return self.extended((leaf,))[0]

    def extended(self, leaves: Iterable[bytes], every: int = 0) -> tuple[Frontier, list[tuple[int, int, bytes]]]:
        """The frontier with these leaves, and the perfect subtrees closed on the way as (level, index, root).

        Of the subtrees those whose level is a multiple of `every`, beyond 0; none where `every` is 0.
        """
        hashes, size, closed = list(self.hashes), self.size, []
        for leaf in leaves:
            node, level, rest = leaf, 0, size
            while rest & 1:
                node = sha256(b"\x01" + hashes.pop() + node).digest()
                rest >>= 1
                level += 1
                if every and level % every == 0:
                    closed.append((level, rest, node))
            hashes.append(node)
            size += 1
        return Frontier(size, tuple(hashes)), closed

    def root(self) -> bytes:
        """MTH of the whole tree: the subtrees folded from right to left (RFC 6962 §2.1)."""
        return _folded(self.hashes) if self.hashes else EMPTY_ROOT


def root(size: int, read: ReadSubtree) -> bytes:
    """MTH of the first `size` leaves (RFC 6962 §2.1)."""
    return _range_root(0, size, read) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: ReadSubtree) -> list[bytes]:
    """PATH(index, D[size]): from the leaf's sibling up to the root's child (RFC 6962 §2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of size {size} has no leaf {index}")
    return list(_path(index, 0, size, read))


def check_inclusion(proof: Sequence[bytes], index: int, size: int, leaf: bytes, root: bytes) -> None:
    """That the leaf hash stands at `index` of the tree of that size and root (RFC 9162 §2.1.3.2); else ProofWrong."""
    if not 0 <= index < size:
        raise ProofWrong(f"a tree of size {size} has no leaf {index}")
    _whole(leaf, root, *proof)
    if _run_path(proof, index, 0, size, leaf) != root:
        raise ProofWrong(f"leaf {index} does not lead to the root of the tree of size {size}")


def consistency_proof(old: int, size: int, read: ReadSubtree) -> list[bytes]:
    """PROOF(old, D[size]): that the first `old` leaves are what they were (RFC 6962 §2.1.2). Empty for equal sizes."""
    if not 0 < old <= size:
        raise ValueError(f"no consistency proof leads from size {old} to size {size}")
    return list(_subproof(old, 0, size, read, whole=True))


def check_consistency(proof: Sequence[bytes], old: int, size: int, old_root: bytes, root: bytes) -> None:
    """That the tree of the old size and root is a prefix of the other (RFC 9162 §2.1.4.2); else ProofWrong.

    Size 0 is refused: an empty tree is a prefix of every tree, so that a proof of it would prove nothing.
    """
    if not 0 < old <= size:
        raise ProofWrong(f"size {old} cannot be the beginning of a tree of size {size}")
    _whole(*proof, *((old_root, root) if proof else ()))
    was, now = _run_subproof(proof, old, 0, size, old_root)
    if was != old_root:
        raise ProofWrong(f"the proof does not lead to the old root, of size {old}")
    if now != root:
        raise ProofWrong(f"the tree of size {size} does not begin with the one of size {old}")


def _whole(*hashes: bytes) -> None:
    """That each is a hash; else a proof could choose where the first of the two hashed together ends."""
    if any(len(each) != HASH_SIZE for each in hashes):
        raise ProofWrong(f"a hash of {HASH_SIZE} bytes has another length")


def _split(size: int) -> int:
    """The largest power of two smaller than the size (RFC 6962 §2.1)."""
    return 1 << ((size - 1).bit_length() - 1)


def _path(index: int, low: int, high: int, read: ReadSubtree) -> Iterator[bytes]:
    if high - low == 1:
        return
    middle = low + _split(high - low)
    if index < middle:
        yield from _path(index, low, middle, read)
        yield _range_root(middle, high, read)
    else:
        yield from _path(index, middle, high, read)
        yield _range_root(low, middle, read)


def _run_path(proof: Sequence[bytes], index: int, low: int, high: int, leaf: bytes) -> bytes:
    """The root to which `_path` leads from the leaf."""
    if high - low == 1:
        if proof:
            raise ProofWrong("the inclusion proof is too long")
        return leaf
    if not proof:
        raise ProofWrong("the inclusion proof is too short")
    middle = low + _split(high - low)
    if index < middle:
        return node_hash(_run_path(proof[:-1], index, low, middle, leaf), proof[-1])
    return node_hash(proof[-1], _run_path(proof[:-1], index, middle, high, leaf))


def _subproof(old: int, low: int, high: int, read: ReadSubtree, *, whole: bool) -> Iterator[bytes]:
    # RFC 6962 §2.1.2: `whole` says that D[low:old] is all of the old tree, whose root the verifier has already.
    if old == high:
        if not whole:
            yield _range_root(low, high, read)
        return
    middle = low + _split(high - low)
    if old <= middle:
        yield from _subproof(old, low, middle, read, whole=whole)
        yield _range_root(middle, high, read)
    else:
        yield from _subproof(old, middle, high, read, whole=False)
        yield _range_root(low, middle, read)


def _run_subproof(proof: Sequence[bytes], old: int, low: int, high: int, old_root: bytes) -> tuple[bytes, bytes]:
    """The roots of D[low:old] and D[low:high] to which `_subproof` leads; the old tree's own root is known."""
    if old == high:
        if len(proof) != (0 if low == 0 else 1):
            raise ProofWrong("the consistency proof has the wrong length")
        return (old_root, old_root) if low == 0 else (proof[0], proof[0])
    if not proof:
        raise ProofWrong("the consistency proof is too short")
    middle = low + _split(high - low)
    if old <= middle:
        was, now = _run_subproof(proof[:-1], old, low, middle, old_root)
        return was, node_hash(now, proof[-1])
    was, now = _run_subproof(proof[:-1], old, middle, high, old_root)
    return node_hash(proof[-1], was), node_hash(proof[-1], now)


def _range_root(low: int, high: int, read: ReadSubtree) -> bytes:
    """MTH(D[low:high]) of a range that RFC 6962's splits make, from its perfect subtrees."""
    nodes = []
    while low < high:
        level = (high - low).bit_length() - 1
        nodes.append(read(level, low >> level))
        low += 1 << level
    return _folded(nodes)


def _folded(hashes: Sequence[bytes]) -> bytes:
    *left, node = hashes
    for subtree in reversed(left):
        node = node_hash(subtree, node)
    return node
