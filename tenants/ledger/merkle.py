"""Merkle trees over a log's entries, as RFC 6962 §2.1 defines them."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

HASH_SIZE = 32  # bytes of SHA-256, the only hash of these logs
EMPTY_ROOT = sha256().digest()  # "The hash of an empty list is the hash of an empty string" (RFC 6962 §2.1).


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """MTH of the tree over these leaf hashes, from the first to the last (RFC 6962 §2.1)."""
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    return frontier.root()


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry): the prefix keeps a leaf from passing for a node (RFC 6962 §2.1)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right) (RFC 6962 §2.1)."""
    return sha256(b"\x01" + left + right).digest()


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

    def append(self, leaf: bytes) -> "Frontier":
        """The frontier with one more leaf, which closes a perfect subtree for every trailing one bit of the size."""
        hashes = list(self.hashes)
        node = leaf
        size = self.size
        while size & 1:
            node = node_hash(hashes.pop(), node)
            size >>= 1
        return Frontier(self.size + 1, (*hashes, node))

    def root(self) -> bytes:
        """MTH of the whole tree: the subtrees folded from right to left (RFC 6962 §2.1)."""
        if not self.hashes:
            return EMPTY_ROOT
        *left, node = self.hashes
        for subtree in reversed(left):
            node = node_hash(subtree, node)
        return node
