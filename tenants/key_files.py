"""Small secret files beside the database: mode 0600, made once or replaced whole, durable before anyone uses them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile


class KeyExposed(Exception):
    """Others than the service's own user may read the key file; run chmod 600 on it, and think of it as known."""


def create(path: Path, content: bytes) -> bool:
    """Write the file unless it exists, which is never overwritten; whether it was made. Durable on return."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        return False
    made = False
    with NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", suffix=".new") as fresh:
        fresh.write(content)
        fresh.flush()
        os.fsync(fresh.fileno())
        # A link never replaces: of two writers that make the file at once, the second one takes the first one's.
        with suppress(FileExistsError):
            os.link(fresh.name, path)
            made = True
    _sync(path.parent)
    return made


def replace(path: Path, content: bytes) -> None:
    """Put the content in the place of what the file held: a reader finds the old or the new one. Durable on return."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", suffix=".new", delete=False) as fresh:
        fresh.write(content)
        fresh.flush()
        os.fsync(fresh.fileno())
    Path(fresh.name).replace(path)
    _sync(path.parent)


def secret(path: Path) -> bytes:
    """The content of a file; KeyExposed when others may read it, FileNotFoundError when it is gone."""
    if path.stat().st_mode & 0o077:
        raise KeyExposed(f"{path}: {KeyExposed.__doc__}")
    return path.read_bytes()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
