"""A city leaves and comes in through the command line: real processes, killed at any moment, on two installations."""

from __future__ import annotations

import gzip
import json
import random
import signal
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.process.conftest import Demo, Installation, installed

ROOT = Path(__file__).resolve().parents[3]
CITY, STREAMS, MEETINGS = "kodaira", 20, 40


def _entry(command: str, actor: str, **data: object) -> dict[str, object]:
    return {"command": command, "data": data, "valid": "2026-04-01", "actor": actor, "recorded_by": "S/desk"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with one city, whose log is long enough to be interrupted."""
    with installed() as kyodo:
        kyodo("migrate")
        kyodo("tenant", "add", str(ROOT / "tenants" / CITY))
        entries = [
            _entry("define-programme", "T", programme="watching", title_ja="見守りの制度", rules={})
            | {"programme": "watching"}
        ]
        for number in (f"L{each}" for each in range(STREAMS)):
            told = {
                "number": number,
                "programme": "watching",
                "title_ja": f"見守り{number}",
                "parties": [{"party": "npo", "kind": "NPO", "name_ja": "見守りの会"}],
            }
            entries.append(_entry("register-partnership", "S", **told) | {"partnership": number})
            meetings = (_entry("hold-meeting", "C", summary=f"話し合い{each}") for each in range(MEETINGS))
            entries.extend(each | {"partnership": number} for each in meetings)
        path = tmp_path_factory.mktemp("entries") / "entries.json"
        path.write_text(json.dumps(entries), encoding="utf-8")
        kyodo("record", CITY, str(path))
        yield kyodo


@pytest.fixture(scope="module")
def archive(home: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its archive."""
    path = tmp_path_factory.mktemp("archive") / "archive.tar.gz"
    done = home("export", CITY, str(path))
    assert done.stdout.split() == [str(path)]
    return path


def checkpoint_of(archive: Path) -> tuple[bytes, bytes]:
    """The checkpoint in an archive: its text, and its signature lines."""
    with gzip.open(archive) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as members:
        for member in members:
            if member.name == "checkpoint":
                content = members.extractfile(member)
                assert content is not None
                text, _, signatures = content.read().partition(b"\n\n")
                return text, signatures
    raise AssertionError(f"{archive} has no checkpoint")


def killed(process: Demo, after: float) -> bool:
    """Kill it after so many seconds; whether it had ended by itself before."""
    time.sleep(after)
    return process.stop(signal.SIGKILL) == 0


def test_an_export_killed_at_any_moment_goes_on(home: Installation, archive: Path, tmp_path: Path) -> None:
    path, moments = tmp_path / "again.tar.gz", random.Random()
    for _ in range(3):
        ended = killed(home.start("export", CITY, str(path)), moments.uniform(1.0, 3.0))
        assert path.exists() or not ended
        if path.exists():
            assert path.read_bytes() == archive.read_bytes(), "nothing half-made has the final name"
            path.unlink()
    home("export", CITY, str(path))
    assert path.read_bytes() == archive.read_bytes()
    assert not path.with_name("again.tar.gz.part").exists()


def test_an_import_killed_at_any_moment_shows_nothing_or_the_whole_city(archive: Path) -> None:
    moments = random.Random()
    with installed() as elsewhere:
        elsewhere("migrate")
        for _ in range(3):
            process = elsewhere.start("import", str(archive))
            while "verifying the archive" not in process.lines and process.process.poll() is None:
                time.sleep(0.01)
            ended = killed(process, moments.uniform(0.0, 2.5))
            listed = elsewhere("tenant", "list").stdout
            assert bool(listed) or not ended
            if listed:
                break
        done = elsewhere("import", str(archive))
        assert ("nothing was added" in done.stderr) or ("events added up to position" in done.stderr)
        assert CITY in elsewhere("tenant", "list").stdout
        checked = elsewhere("replay", CITY, "--check")
        assert "equal a fresh replay" in checked.stderr
        again = archive.with_name("there.tar.gz")
        elsewhere("export", CITY, str(again))
        text, signatures = checkpoint_of(again)
        assert text == checkpoint_of(archive)[0], "the same origin, size and root"
        assert signatures != checkpoint_of(archive)[1], "signed by the new home's own key"


def test_a_refused_archive_is_explained_with_code_1(home: Installation, archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.tar.gz"
    path.write_bytes(archive.read_bytes()[:5_000])
    done = home("import", str(path), check=False)
    assert done.returncode == 1
    assert "cut off" in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_where_the_city_is_says_so(home: Installation, archive: Path) -> None:
    done = home("import", str(archive))
    assert "are here already; nothing was added" in done.stderr


def test_closed_texts_leave_with_a_reader_and_a_transfer_key_only(home: Installation, tmp_path: Path) -> None:
    path, key = tmp_path / "all.tar.gz", tmp_path / "transfer.key"
    assert home("export", CITY, str(path), "--level", "PERSONAL", check=False).returncode == 2
    assert not path.exists()
    asked = ("--level", "PERSONAL", "--who", "T/archivist", "--purpose", "export", "--transfer-key", str(key))
    done = home("export", CITY, str(path), *asked)
    assert "another way" in done.stderr
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_bytes().hex() not in done.stdout + done.stderr
