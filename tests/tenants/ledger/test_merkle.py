"""The Merkle tree of RFC 6962: known answers, and the definition written out."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.ledger.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash, tree_root

LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
"""The entries, in hex, of Certificate Transparency's reference tree (merkletree/merkle_verifier_test of Google's C++
implementation), whose roots follow."""

ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_roots_are_those_of_the_reference_tree() -> None:
    hashes = [leaf_hash(bytes.fromhex(entry)) for entry in LEAVES]
    assert [tree_root(hashes[:size]).hex() for size in range(1, 9)] == ROOTS


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert tree_root([]) == Frontier().root() == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 §2.1 defines it: split at the largest power of two smaller than n."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(defined_root(leaves[:split]), defined_root(leaves[split:]))


@given(st.lists(st.binary(max_size=8).map(leaf_hash), min_size=1, max_size=70))
def test_a_frontier_has_the_root_of_the_definition_at_every_size(leaves: list[bytes]) -> None:
    grown = list(accumulate(leaves, Frontier.append, initial=Frontier()))
    assert [frontier.root() for frontier in grown[1:]] == [defined_root(leaves[:n]) for n in range(1, len(leaves) + 1)]
    assert all(len(frontier.hashes) == frontier.size.bit_count() for frontier in grown)


def test_a_frontier_that_does_not_fit_its_size_is_refused() -> None:
    with pytest.raises(ValueError, match="size 3 does not have 1"):
        Frontier(3, (EMPTY_ROOT,))
