"""Tiles and bundles as C2SP tlog-tiles writes them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.ledger.tiles import ENTRIES, Tile, bundle, tiles_of, unbundled


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1234067), "0/x001/x234/067"),
        (Tile(0, 0), "0/000"),
        (Tile(0, 0, 8), "0/000.p/8"),
        (Tile(63, 999, 255), "63/999.p/255"),
        (Tile(1, 1000, 1), "1/x001/000.p/1"),
        (Tile(ENTRIES, 1234067, 12), "entries/x001/x234/067.p/12"),
        (Tile(2, 36_028_797_018_963_967), "2/x036/x028/x797/x018/x963/967"),
    ],
)
def test_a_tile_has_the_path_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert Tile.of(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        "0/",
        "0/0",
        "0/00",
        "0/0000",
        "0/x000/000",
        "0/x000/x001/000",
        "0/001/002",
        "0/x001/x002",
        "0/x001/02",
        "0/001/",
        "/0/001",
        "00/001",
        "01/001",
        "-1/001",
        "64/001",
        "100/001",
        "+1/001",
        "data/001",
        "Entries/001",
        "entries/X001/000",
        "0/000.p/0",
        "0/000.p/08",
        "0/000.p/256",
        "0/000.p/257",
        "0/000.p/999",
        "0/000.p/1000",
        "0/000.p/-1",
        "0/000.p/",
        "0/000.p",
        "0/000.P/8",
        "0/000/8",
        "0/000.p/8/",
        "0/000.p/8 ",
        " 0/000",
        "0/000\n",
        "0/０00",
        "٠/000",
        "0/000.p/٨",
        "0/" + "x999/" * 6 + "000",
        "0/" + "x999/" * 5_000 + "000",
    ],
)
def test_what_the_specification_does_not_write_is_no_tile(path: str) -> None:
    assert Tile.of(path) is None


@given(st.integers(ENTRIES, 63), st.integers(0, 2**55 - 1), st.integers(1, 256))
def test_every_tile_comes_back_from_its_path(level: int, number: int, width: int) -> None:
    tile = Tile(level, number, width)
    assert Tile.of(tile.path) == tile


@given(st.text(alphabet="0123456789x/.pentris", max_size=30))
def test_a_path_that_is_read_is_the_one_that_is_written(path: str) -> None:
    tile = Tile.of(path)
    assert tile is None or tile.path == path


def test_a_tree_of_70000_has_the_tiles_of_the_specification() -> None:
    """As its section "Partial Tiles" counts them."""
    tiles = list(tiles_of(70_000))
    assert [tile for tile in tiles if tile.level == 0] == [*(Tile(0, n) for n in range(273)), Tile(0, 273, 112)]
    assert [tile for tile in tiles if tile.level > 0] == [Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert [tile for tile in tiles if tile.level == ENTRIES][-1] == Tile(ENTRIES, 273, 112)


def test_a_tree_of_256_has_a_full_tile_and_a_partial_one_above_it() -> None:
    assert list(tiles_of(256)) == [Tile(ENTRIES, 0), Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(1)) == [Tile(ENTRIES, 0, 1), Tile(0, 0, 1)]
    assert list(tiles_of(0)) == []


@settings(max_examples=30)
@given(st.integers(1, 300_000))
def test_every_tile_of_a_tree_is_within_it_and_the_next_hash_is_not(size: int) -> None:
    partial: dict[int, Tile] = {}
    for tile in tiles_of(size):
        assert tile.within(size)
        needed = (tile.first + tile.width) * 256 ** max(tile.level, 0)
        assert not tile.within(needed - 1), "one leaf less, and its last hash is not there"
        if tile.width < 256:
            assert tile.level not in partial, "each level has one partial tile at most"
            partial[tile.level] = tile
    for tile in partial.values():
        assert not Tile(tile.level, tile.number, tile.width + 1).within(size)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_entries_come_back_from_their_bundle(entries: list[bytes]) -> None:
    assert list(unbundled(bundle(entries))) == entries


def test_a_bundle_gives_each_entry_its_length_in_two_bytes() -> None:
    largest = b"x" * 65_535
    assert bundle([b"ab", b"", largest]) == b"\x00\x02ab\x00\x00\xff\xff" + largest
    with pytest.raises(OverflowError):
        bundle([largest + b"x"])


def test_a_bundle_that_is_cut_off_is_refused_wherever_it_is_cut() -> None:
    whole = bundle([b"abc", b"defg"])
    for size in range(len(whole)):
        if size in {0, 5}:
            assert len(list(unbundled(whole[:size]))) == size // 5
            continue
        with pytest.raises(ValueError, match="cut off"):
            list(unbundled(whole[:size]))
