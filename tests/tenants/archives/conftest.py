"""A town that was exported once, for every test that takes its archive somewhere else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tenants.archive.transfer import TransferKey
from tenants.book import Book
from tests.tenants.archives.town import Installation, installation, settle


@dataclass(frozen=True)
class Left:
    """The town in its home, its archives (what is public; everything), and the key of the latter."""

    home: Installation
    book: Book
    public: Path
    everything: Path
    key: TransferKey


@pytest.fixture(scope="package")
def left(server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    """Nobody writes to it."""
    folder = tmp_path_factory.mktemp("left")
    with installation(server, folder) as home:
        book = settle(home)
        home.project()
        key, _ = TransferKey.made(folder / "transfer.key")
        public = home.archive(book.tenant, folder / "public.tar.gz").path
        everything = home.archive(book.tenant, folder / "everything.tar.gz", key).path
        yield Left(home, book, public, everything, key)


@pytest.fixture(scope="package")
def nowhere(server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that stays empty, whatever is tried."""
    with installation(server, tmp_path_factory.mktemp("nowhere")) as made:
        yield made


@pytest.fixture
def elsewhere(server, tmp_path: Path) -> Iterator[Installation]:
    """An empty installation."""
    with installation(server, tmp_path / "elsewhere") as home:
        yield home


@pytest.fixture
def home(server, tmp_path: Path) -> Iterator[Installation]:
    """Another one."""
    with installation(server, tmp_path / "home") as made:
        yield made
