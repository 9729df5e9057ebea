"""The verifier: honest logs pass in every form, every change is refused, and its position named where there is one."""

from __future__ import annotations

import json
import math
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.ledger import verify
from tests.tenants.ledger.made_logs import Log, Signer, disclosure, entries, entry, made, pack, seal, served, service

VECTORS = Path(__file__).parent / "vectors"
SIZES = (0, 1, 2, 255, 256, 257, 600)


def failed(report: verify.Report) -> list[int]:
    return [step.number for part in (report, *report.parts) for step in part.steps if step.outcome == verify.FAILED]


def said(report: verify.Report, number: int) -> str:
    return " ".join(detail for step in report.steps if step.number == number for detail in step.details)


def outcome(report: verify.Report, number: int) -> str:
    return next(step.outcome for step in report.steps if step.number == number)


# ---- Honest logs


@pytest.mark.parametrize("size", SIZES)
def test_an_honest_log_verifies_live_as_a_folder_and_as_an_archive(tmp_path: Path, size: int) -> None:
    log = made(tmp_path / "log/yamato", size)
    service(tmp_path, {"yamato": log}, [("yamato", n) for n in SIZES if n <= size])
    with served(tmp_path) as url:
        live = verify.verify(f"{url}/log/yamato")
        whole = verify.verify(url)
    assert live.verified, verify.as_text(live)
    assert (live.origin, live.size, outcome(live, 8)) == ("localhost/log/yamato", size, verify.OK)
    assert whole.verified, verify.as_text(whole)
    assert [part.origin for part in whole.parts] == ["localhost/log/yamato", "localhost/log/root"]
    (log.folder / "root-proof").unlink()
    seal(log, [{"position": n, "disclosure": disclosure(n)} for n in range(1, size + 1, 50)])
    for target in (log.folder, pack(log.folder, tmp_path / "yamato.tar.gz")):
        report = verify.verify(str(target))
        assert report.verified, verify.as_text(report)
        assert outcome(report, 10) == outcome(report, 9) == verify.OK


@pytest.mark.parametrize(("size", "position"), [(1, 1), (2, 2), (257, 257), (600, 300)])
def test_an_honest_proof_verifies_from_a_file_and_live(tmp_path: Path, size: int, position: int) -> None:
    log = made(tmp_path / "log/yamato", size)
    file = log.write(f"proof/{position}", log.proof(position))
    with served(tmp_path) as url:
        assert verify.verify(f"{url}/log/yamato/proof/{position}").verified
    assert verify.verify(str(file), key=log.signer.vkey, disclosures=[disclosure(position)]).verified
    with pytest.raises(verify.CannotCheck, match="give it with --key"):
        verify.verify(str(file))


def test_several_processes_find_what_one_finds(tmp_path: Path) -> None:
    log = made(tmp_path, 9000)
    log.flip("tile/entries/020", 300)
    one, two = (verify.verify(str(tmp_path), processes=n) for n in (1, 2))
    assert one == two
    assert not one.verified
    assert one.positions[0][0] == 20 * 256 + 1


def test_a_process_that_is_ended_from_outside_is_an_answer_and_no_endless_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, 9000)
    scan = verify.scan

    def killed(job: verify.Job) -> verify.Found:
        if job.first == 2 * verify.PIECE:
            os.kill(os.getpid(), signal.SIGKILL)
        return scan(job)

    monkeypatch.setattr(verify, "scan", killed)
    with pytest.raises(verify.CannotCheck, match="ended from outside"):
        verify.verify(str(tmp_path), processes=2)


_SLOW = """
import os, sys, time
from tenants.ledger import verify

def scan(job):
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(1)
    return verify.Found(roots=[bytes(32)] * verify.PIECE)

verify.scan = scan
verify.verify(sys.argv[1], processes=2)
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_the_one_that_asks(tmp_path: Path, sent: signal.Signals) -> None:
    made(tmp_path, 9000)
    with subprocess.Popen(
        [sys.executable, "-c", _SLOW, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as asking:
        assert asking.stdout is not None
        scanning = {int(asking.stdout.readline()) for _ in range(2)}
        assert len(scanning) == 2
        asking.send_signal(sent)
        asking.wait(timeout=20)
    patience = time.monotonic() + 20
    while any(map(runs, scanning)) and time.monotonic() < patience:
        time.sleep(0.1)
    assert not any(map(runs, scanning))


def runs(pid: int) -> bool:
    """Whether there is such a process, and it is more than an entry that nobody has collected yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_file_alone_verifies_with_bare_python(tmp_path: Path) -> None:
    alone, log = tmp_path / "alone", made(tmp_path / "log/yamato", 300)
    service(tmp_path, {"yamato": log}, [("yamato", 300)])
    alone.mkdir()
    shutil.copy(verify.__file__, alone / "verify.py")
    with served(tmp_path) as url:
        command = [sys.executable, "-I", "-S", "verify.py", f"{url}/log/yamato", "--json", "--processes", "2"]
        done = subprocess.run(command, cwd=alone, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verified"] is True
    log.flip("checkpoint", 30)
    bad = subprocess.run(
        [*command[:4], str(log.folder)], cwd=alone, capture_output=True, text=True, check=False, timeout=60
    )
    assert bad.returncode == 1
    assert "NOT VERIFIED" in bad.stdout


# ---- Tampering, against the log itself


def alter_entry(log: Log) -> None:
    log.flip("tile/entries/000", 2 + len(log.entries[0]) + 2 + 50)


def swap_entries(log: Log) -> None:
    data = (log.folder / "tile/entries/000").read_bytes()
    first, second = (len(each).to_bytes(2, "big") + each for each in log.entries[:2])
    log.write("tile/entries/000", second + first + data[len(first) + len(second) :])


def alter_tile(log: Log) -> None:
    log.flip("tile/0/001", 44 * 32)


def alter_upper_tile(log: Log) -> None:
    log.flip("tile/1/000.p/2", 40)


def cut_bundle(log: Log) -> None:
    file = log.folder / "tile/entries/002.p/88"
    file.write_bytes(file.read_bytes()[:-5])


def lose_bundle(log: Log) -> None:
    (log.folder / "tile/entries/001").unlink()


def lengthen_bundle(log: Log) -> None:
    log.write("tile/entries/002.p/88", (log.folder / "tile/entries/002.p/88").read_bytes() + b"\0\1x")


def lose_tile(log: Log) -> None:
    (log.folder / "tile/0/002.p/88").unlink()


def rewrite_quietly(log: Log) -> None:
    """An altered entry with all tiles to match, the checkpoint as signed."""
    note = (log.folder / "checkpoint").read_text()
    log.publish([*log.entries[:299], entry(300, type="ProposalRejected"), *log.entries[300:]])
    log.write("checkpoint", note)


TAMPERING: list[tuple[Callable[[Log], None], set[int], tuple[int, int]]] = [
    (alter_entry, {4, 5}, (2, 2)),
    (swap_entries, {4, 5, 6}, (1, 2)),
    (alter_tile, {5}, (301, 301)),
    (alter_upper_tile, {5}, (257, 512)),
    (cut_bundle, {4}, (600, 600)),
    (lose_bundle, {4}, (257, 512)),
    (lengthen_bundle, {4}, (513, 600)),
    (lose_tile, {5}, (513, 600)),
    (rewrite_quietly, {4}, (1, 600)),
]


@pytest.mark.parametrize(("tamper", "steps", "positions"), TAMPERING, ids=lambda each: getattr(each, "__name__", ""))
def test_every_change_is_refused_and_its_positions_named(
    tmp_path: Path, tamper: Callable[[Log], None], steps: set[int], positions: tuple[int, int]
) -> None:
    log = made(tmp_path, 600)
    tamper(log)
    report = verify.verify(str(tmp_path))
    assert steps <= set(failed(report)), verify.as_text(report)
    assert report.positions == (positions,)
    assert "position" in verify.as_text(report).splitlines()[-1]


def test_an_altered_entry_is_told_from_an_altered_tile(tmp_path: Path) -> None:
    log = made(tmp_path, 600)
    alter_entry(log)
    assert "still lead to the signed root" in said(verify.verify(str(tmp_path)), 4)
    log.publish(log.entries)
    alter_tile(log)
    report = verify.verify(str(tmp_path))
    assert (outcome(report, 4), failed(report)) == (verify.OK, [5])


@pytest.mark.parametrize("seed", range(12))
def test_any_bit_flipped_anywhere_is_refused(tmp_path: Path, seed: int) -> None:
    log = made(tmp_path, 260)
    key = log.signer.vkey
    random.seed(seed)
    files = sorted(f for f in tmp_path.rglob("*") if f.is_file() and f.name != "key")
    chosen = files[seed % len(files)]
    at, bit = random.randrange(chosen.stat().st_size), 1 << random.randrange(8)
    log.flip(str(chosen.relative_to(tmp_path)), at, bit)
    assert not verify.verify(str(tmp_path), key=key).verified


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"position": 8}, "position is 8"),
        ({"position": True}, "position is True"),
        ({"stream": 7}, "stream is 7"),
        ({"tenant": "another"}, "tenant another"),
        ({"recorded_at": "2026-11-23T00:59:59.000000Z"}, "recorded at"),
        ({"recorded_at": "2026-11-23T01:00:07.0Z"}, "recorded_at is"),
        ({"version": 9}, "version 9"),
        ({"version": "7"}, "version is '7'"),
        ({"version": 2, "stream": "new"}, "comes after nothing"),
        ({"more": 1}, "members"),
        ({"data": {"a": "\0"}}, "NUL"),
        ({"data": {"a": 1.0}}, "not canonical"),
        ({"data": {"a": 2**53 + 1}}, "not canonical"),
        ({"data": {"a": 10**400}}, "not JSON"),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_an_entry_that_is_not_well_formed_is_refused_even_when_it_is_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], why: str, *, known: bool
) -> None:
    """Whether or not the shape of its neighbours is known already."""
    monkeypatch.setattr(verify, "KNOWN", verify.Known())
    monkeypatch.setattr(verify, "OFTEN", 1 if known else 10**9)
    given = [*entries(6), entry(7, **change), *entries(20)[7:]]
    Log(tmp_path, Signer("localhost/log/yamato")).publish(given)
    report = verify.verify(str(tmp_path))
    assert failed(report) == [6], verify.as_text(report)
    assert report.names(7)
    assert why in said(report, 6)


# ---- Signatures, keys and witnesses


def test_a_checkpoint_by_another_key_is_refused(tmp_path: Path) -> None:
    log, other = made(tmp_path, 3), Signer("localhost/log/yamato")
    report = verify.verify(str(tmp_path), key=other.vkey)
    assert failed(report) == [2]
    assert "offers another key" in said(report, 1)
    assert failed(verify.verify(str(tmp_path), key=Signer("localhost/log/kawasaki").vkey)) == [1]
    assert log.signer.vkey in said(verify.verify(str(tmp_path), key=log.signer.vkey), 1)


def test_a_good_signature_beside_a_bad_one_of_the_same_key_is_refused(tmp_path: Path) -> None:
    log = made(tmp_path, 3)
    log.write("checkpoint", log.note() + log.signer.line("another text\n"))
    assert 2 in failed(verify.verify(str(tmp_path)))


def test_witnesses_count_as_the_policy_says(tmp_path: Path) -> None:
    north, south, east = (Signer(f"{name}.example/w", kind=4) for name in ("north", "south", "east"))
    log = Log(tmp_path / "log", Signer("localhost/log/yamato")).publish(entries(3), by=(north, south))
    names = {"north": north, "south": south, "east": east}
    keys = "".join(f"witness {name} {each.vkey}\n" for name, each in names.items())
    text = f"# whom we trust\nlog {log.signer.vkey}\n{keys}group abroad 1 south east\ngroup both all north abroad\n"
    policy = tmp_path / "policy"
    policy.write_text(text + "quorum both\n")
    report = verify.verify(str(log.folder), policy=str(policy))
    assert report.verified
    assert "north saw it at 2026-09-21T" in said(report, 3)
    assert failed(verify.verify(str(log.folder), policy=text + "quorum east\n")) == [3]
    assert "different people" in said(verify.verify(str(log.folder), policy=text + "quorum none\n"), 3)
    alone = verify.verify(str(log.folder))
    assert outcome(alone, 3) == verify.NOT_CHECKED
    assert "could show different people different logs" in said(alone, 3)
    bad = log.note() + south.line("elsewhere\n")
    log.write("checkpoint", bad)
    assert failed(verify.verify(str(log.folder), policy=str(policy))) == [3]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum w\n",
        "quorum none\nquorum none\n",
        "witness none {0}\nquorum none\n",
        "witness a {0}\nwitness b {0}\nquorum a\n",
        "witness a {0}\nwitness b {1}\ngroup g 3 a b\nquorum g\n",
        "witness a {0}\nwitness b {1}\ngroup g any a\ngroup h any a b\nquorum h\n",
        "witness a {0}\ngroup g any a a\nquorum g\n",
        "log {0}\nquorum none\n",
        "nonsense\nquorum none\n",
    ],
)
def test_a_policy_that_says_nothing_clear_is_refused(text: str) -> None:
    keys = [Signer(f"{n}.example", kind=4).vkey for n in range(2)]
    with pytest.raises(verify.CannotCheck, match="policy"):
        verify.parse_policy(text.format(*keys))


# ---- Since an earlier visit


@pytest.fixture
def visited(tmp_path: Path) -> tuple[Log, Path]:
    """A log of 300 entries that was verified once, with what was kept of it."""
    log = made(tmp_path / "log/yamato", 300)
    assert verify.verify(str(log.folder), keep=tmp_path / "kept").verified
    return log, tmp_path / "kept"


def test_a_log_that_grew_continues_what_was_kept(visited: tuple[Log, Path]) -> None:
    log, kept = visited
    for size in (300, 301, 513, 600):
        report = verify.verify(str(log.publish(entries(size)).folder), keep=kept)
        assert report.verified, verify.as_text(report)
        assert outcome(report, 7) == verify.OK
    folder = kept / "localhost%2Flog%2Fyamato"
    assert (folder / "checkpoint").read_text() == log.note()
    assert (folder / "tile/0/001").read_bytes() == (log.folder / "tile/0/001").read_bytes()
    assert not [each for each in folder.iterdir() if each.name.startswith("new-")]


def test_a_fork_signed_by_the_same_key_is_named_by_position(visited: tuple[Log, Path]) -> None:
    log, kept = visited
    forked = [*entries(279), entry(280, type="ProposalRejected"), *entries(600)[280:]]
    report = verify.verify(str(log.publish(forked).folder), keep=kept)
    assert failed(report) == [7]
    assert report.positions == ((280, 280),)
    assert verify.verify(str(log.publish(entries(600)).folder), keep=kept).verified, "a failure keeps nothing"


def test_a_rollback_with_an_older_signed_checkpoint_is_named(visited: tuple[Log, Path]) -> None:
    log, kept = visited
    report = verify.verify(str(log.publish(entries(257)).folder), keep=kept)
    assert report.positions == ((258, 300),)
    assert "went back from 300 to 257" in said(report, 7)


def test_a_bare_checkpoint_shows_the_smallest_range_that_it_can(tmp_path: Path) -> None:
    log = made(tmp_path / "log", 300)
    since = tmp_path / "since"
    since.write_text(log.note())
    assert outcome(verify.verify(str(log.publish(entries(600)).folder), since=since), 7) == verify.OK
    forked = [*entries(149), entry(150, type="ProposalRejected"), *entries(600)[150:]]
    assert verify.verify(str(log.publish(forked).folder), since=since).positions == ((1, 300),)
    since.write_text(Signer("localhost/log/yamato").line("x"))
    assert 7 in failed(verify.verify(str(log.folder), since=since))


def test_another_log_at_a_known_address_is_refused(visited: tuple[Log, Path]) -> None:
    log, kept = visited
    Log(log.folder, Signer("localhost/log/other")).publish(entries(300))
    assert 1 in failed(verify.verify(str(log.folder), keep=kept))


def test_a_live_proof_is_of_the_entry_that_was_kept(tmp_path: Path, visited: tuple[Log, Path]) -> None:
    log, kept = visited
    log.publish(entries(600)).write("proof/7", log.proof(7))
    with served(tmp_path) as url:
        assert outcome(verify.verify(f"{url}/log/yamato/proof/7", keep=kept), 7) == verify.OK
        log.publish([*entries(6), entry(7, type="X"), *entries(600)[7:]]).write("proof/7", log.proof(7))
        assert verify.verify(f"{url}/log/yamato/proof/7", keep=kept).positions == ((7, 7),)


# ---- The root log


def test_a_checkpoint_that_the_root_log_does_not_hold_is_refused(tmp_path: Path) -> None:
    log = made(tmp_path / "log/yamato", 300)
    service(tmp_path, {"yamato": log}, [("yamato", 300)])
    proof = (log.folder / "root-proof").read_bytes()
    with served(tmp_path) as url:
        target = f"{url}/log/yamato"
        log.publish(entries(200)).write("root-proof", proof)
        assert verify.verify(target).positions == ((201, 300),)
        log.publish([*entries(99), entry(100, type="X"), *entries(400)[100:]]).write("root-proof", proof)
        assert (failed(verify.verify(target)), verify.verify(target).positions) == ([8], ((1, 300),))
        log.publish(entries(400)).write("root-proof", proof)
        report = verify.verify(target)
        assert report.verified
        assert "not in it yet" in said(report, 8)
        log.flip("root-proof", 40)
        assert failed(verify.verify(target)) == [8]
        (log.folder / "root-proof").unlink()
        assert failed(verify.verify(target)) == [8]


def test_a_history_rewritten_before_the_last_checkpoint_is_found_through_the_root_log(tmp_path: Path) -> None:
    log = made(tmp_path / "log/yamato", 300)
    old = log.note(120)
    forked = log.publish([*entries(99), entry(100, type="X"), *entries(300)[100:]])
    notes = [log.note(50), old, forked.note()]
    top = service(tmp_path, {"yamato": forked}, [("yamato", 300)])
    top.publish([note.encode() for note in notes])
    log.write("root-proof", top.proof(3))
    with served(tmp_path) as url:
        assert verify.verify(f"{url}/log/yamato").verified
        report = verify.verify(url)
    assert not report.verified
    assert "positions 51 to 120" in verify.as_text(report)


# ---- Archives and disclosures


@pytest.fixture
def sealed(tmp_path: Path) -> Log:
    log = made(tmp_path / "unpacked", 300)
    seal(log, [{"position": n, "disclosure": disclosure(n)} for n in (5, 260, 299)])
    return log


def test_an_archive_with_members_added_removed_or_altered_is_refused(tmp_path: Path, sealed: Log) -> None:
    file = pack(sealed.folder, tmp_path / "a.tar.gz", [("programmes/more.json", b"{}")])
    assert "programmes/more.json was added" in said(verify.verify(str(file)), 10)
    file = pack(sealed.folder, tmp_path / "a.tar.gz", [("../more", b"{}"), ("manifest.json", b"{}")])
    assert said(verify.verify(str(file)), 10).count("outside the archive") == 2
    assert not (tmp_path / "more").exists()
    (sealed.folder / "manifest.json").write_text("[]")
    assert "manifest.json was altered" in said(verify.verify(str(pack(sealed.folder, file))), 10)
    (sealed.folder / "manifest.json").unlink()
    assert "manifest.json is not there" in said(verify.verify(str(sealed.folder)), 10)
    (sealed.folder / "SHA256SUMS.note").unlink()
    assert failed(verify.verify(str(pack(sealed.folder, file)))) == [10]


def test_an_archive_sealed_by_another_key_is_refused(sealed: Log) -> None:
    good = sealed.signer
    sealed.signer = Signer(good.name)
    seal(sealed)
    assert failed(verify.verify(str(sealed.folder), key=good.vkey)) == [10]


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.98])
def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, sealed: Log, keep: float) -> None:
    file = pack(sealed.folder, tmp_path / "a.tar.gz")
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * keep)])
    report = verify.verify(str(file), key=sealed.signer.vkey)
    assert 10 in failed(report)
    assert "cut off" in said(report, 10)


def test_an_altered_public_disclosure_is_refused_by_position(sealed: Log) -> None:
    altered = [{"position": 5, "disclosure": disclosure(5)}, {"position": 260, "disclosure": disclosure(259)}]
    seal(sealed, altered)
    report = verify.verify(str(sealed.folder))
    assert (failed(report), report.positions) == ([9], ((260, 260),))


def test_a_value_that_a_reader_holds_is_found_in_its_entry(tmp_path: Path) -> None:
    log = made(tmp_path / "log", 300)
    held = tmp_path / "held"
    told = [{"position": 4, "disclosure": disclosure(4)}, {"position": 5, "disclosures": [disclosure(5)]}]
    held.write_text("\n".join([disclosure(270), *map(json.dumps, told)]))
    report = verify.verify(str(log.folder), disclosures=[str(held)])
    assert report.verified
    assert "title_ja: position 270, data.title_ja" in said(report, 9)
    altered = disclosure(270, value="子育てひろば!")
    assert failed(verify.verify(str(log.folder), disclosures=[altered])) == [9]
    elsewhere = json.dumps({"position": 5, "disclosure": disclosure(4)})
    assert verify.verify(str(log.folder), disclosures=[elsewhere]).positions == ((5, 5),)
    proof = log.write("7.tlog-proof", log.proof(7))
    assert failed(verify.verify(str(proof), key=log.signer.vkey, disclosures=[disclosure(8)])) == [9]


def test_an_altered_proof_is_refused_by_position(tmp_path: Path) -> None:
    log = made(tmp_path / "log/yamato", 300)
    text = log.proof(9)
    lines = text.split("\n")
    hashes = lines.index("index 8") + 1
    for changed in (
        text.replace("index 8", "index 7"),
        text.replace("index 8", "index 300"),
        "\n".join([*lines[:hashes], *lines[hashes + 1 :]]),
        "\n".join([*lines[:hashes], lines[hashes + 1], lines[hashes], *lines[hashes + 2 :]]),
        text.replace(lines[1], "extra " + b64encode(log.entries[9]).decode()),
    ):
        report = verify.verify(str(log.write("p.tlog-proof", changed)), key=log.signer.vkey)
        assert 4 in failed(report)
        assert report.positions
    log.write("proof/9", log.proof(10))
    with served(tmp_path) as url:
        assert verify.verify(f"{url}/log/yamato/proof/9").names(10)


# ---- The web


def test_a_passing_trouble_is_waited_out_and_a_lasting_one_said(tmp_path: Path) -> None:
    log = made(tmp_path / "log/yamato", 3)
    service(tmp_path, {"yamato": log}, [("yamato", 3)])
    log.write("checkpoint.error", "503")
    log.write("tile/entries/000.p/3.error", "503")
    with served(tmp_path) as url:
        assert verify.verify(f"{url}/log/yamato").verified
        log.write("key.error", "302 http://localhost:1/key")
        with pytest.raises(verify.CannotCheck, match="If that is the log, give that address"):
            verify.verify(f"{url}/log/yamato")
        log.write("key.error", "403")
        with pytest.raises(verify.CannotCheck, match="answers 403"):
            verify.verify(f"{url}/log/yamato")
        with pytest.raises(verify.CannotCheck, match="neither a log"):
            verify.verify(f"{url}/nothing")
        with pytest.raises(verify.CannotCheck, match="no proof"):
            verify.verify(f"{url}/log/yamato/proof/4")


def test_a_full_tile_stands_in_for_a_partial_one(tmp_path: Path) -> None:
    log = made(tmp_path / "log", 250)
    note = (log.folder / "checkpoint").read_text()
    log.publish(entries(600)).write("checkpoint", note)
    assert verify.verify(str(log.folder)).verified


def test_a_body_that_never_ends_is_refused(tmp_path: Path) -> None:
    log = made(tmp_path / "log", 3)
    log.write("tile/0/000.p/3", bytes(8193))
    report = verify.verify(str(log.folder))
    assert "more than 8192 bytes" in said(report, 6)
    log.write("checkpoint", log.note(0).replace("\n0\n", "\n999999999999999\n"))
    assert failed(verify.verify(str(log.folder)))[0] == 2


def test_wrong_usage_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.main([str(tmp_path / "nothing")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    log = made(tmp_path / "log", 3)
    assert verify.main([str(log.folder), "--key", "no+key"]) == 2
    assert "verifier key" in capsys.readouterr().err
    assert verify.main([str(log.folder / "key")]) == 2
    assert verify.main([str(log.folder)]) == 0
    assert "VERIFIED: unchanged since it was signed" in capsys.readouterr().out


# ---- Against vectors that nobody here wrote


def vectors(kind: str) -> list[Any]:
    files = sorted((VECTORS / kind).rglob("*.json"))
    return [pytest.param(json.loads(file.read_text()), id=f"{file.parent.name}/{file.stem}") for file in files]


def test_there_are_98_vectors() -> None:
    assert len(vectors("inclusion")) == 98


@pytest.mark.parametrize("vector", vectors("inclusion"))
def test_inclusion_vectors(vector: dict[str, Any]) -> None:
    leaf, root = (b64decode(vector[name] or "") for name in ("leafHash", "root"))
    path = [b64decode(each) for each in vector["proof"] or []]
    assert verify.included(vector["leafIdx"], vector["treeSize"], leaf, root, path) is not vector["wantErr"]


# RFC 8032 §7.1: public key, message, signature.
ED25519 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), ED25519)
def test_the_signatures_of_rfc_8032_hold_and_their_changes_do_not(public: str, message: str, signature: str) -> None:
    key, text, sig = map(bytes.fromhex, (public, message, signature))
    assert verify.ed25519_holds(key, text, sig)
    assert not verify.ed25519_holds(key, text + b"x", sig)
    for at in (0, 31, 32, 63):
        assert not verify.ed25519_holds(key, text, sig[:at] + bytes([sig[at] ^ 1]) + sig[at + 1 :])
    above = int.from_bytes(sig[32:], "little") + verify.L
    assert not verify.ed25519_holds(key, text, sig[:32] + above.to_bytes(32, "little")), "s must be below L"


@pytest.mark.parametrize(
    "point",
    [
        verify.P.to_bytes(32, "little"),
        (verify.P + 1).to_bytes(32, "little"),
        (2).to_bytes(32, "little"),
        (1 | 1 << 255).to_bytes(32, "little"),
    ],
)
def test_what_is_no_point_in_its_only_encoding_is_refused(point: bytes) -> None:
    with pytest.raises(verify.Refused):
        verify.decoded_point(point)


NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
NOTE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


def test_the_example_of_the_signed_note_specification_holds() -> None:
    key = verify.parse_key(NOTE_KEY)
    assert list(verify.signers(verify.parse_note(NOTE.encode()), [key])) == [NOTE_KEY]
    with pytest.raises(verify.Refused, match="does not hold"):
        verify.signers(verify.parse_note(NOTE.replace("example message", "example massage").encode()), [key])
    for wrong in (NOTE[:-1], NOTE.replace("—", "-"), NOTE.replace("=", ""), NOTE + "\n", "no note\n", NOTE + "\t"):
        with pytest.raises(verify.Refused):
            verify.parse_note(wrong.encode())
    for wrong in (NOTE_KEY[:-4], NOTE_KEY.replace("530d", "530e"), NOTE_KEY.replace(".com", ".org")):
        with pytest.raises(verify.Refused):
            verify.parse_key(wrong)


# ---- Canonical JSON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)
@given(JSON)
def test_canonical_json_is_that_of_another_writer(value: Any) -> None:
    text = rfc8785.dumps(value)
    assert verify.canonical(value).encode() == text
    assert verify.canonical(verify.canonical_value(text)).encode() == text


@settings(deadline=None)
@given(
    st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack(">d", bits.to_bytes(8, "big"))[0]).filter(math.isfinite)
)
def test_numbers_are_written_as_another_writer_writes_them(number: float) -> None:
    assert verify.number_text(number).encode() == rfc8785.dumps(number)


# RFC 8785 appendix B.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "444b1ae4d6e2ef50": "1e+21",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "41b3de4355555553": "333333333.3333332",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_numbers_of_rfc_8785(bits: str, text: str) -> None:
    assert verify.number_text(struct.unpack(">d", bytes.fromhex(bits))[0]) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (b'{"a":1,"b":[true,false,null],"c":{}}', True),
        (b'{"a":"true,e.1"}', True),
        (b'{"a":[1.5,1e+21,1e-7,-2.5]}', True),
        (b'{"a":9007199254740992,"b":100000000000000000000}', True),
        ('{"\U0001f600":1,"\ufb33":2}'.encode(), True),  # UTF-16 order, not that of code points
        ('{"\ufb33":2,"\U0001f600":1}'.encode(), False),
        (b'{"b":1,"a":2}', False),
        (b'{"a":1,"a":1}', False),
        (b'{"a": 1}', False),
        (b'{"a":1} ', False),
        (b'{"a":-0}', False),
        (b'{"a":1.0}', False),
        (b'{"a":1e16}', False),
        (b'{"a":[1e22]}', False),
        (b'{"a":[0,1e-5]}', False),
        (b'{"a":1E5}', False),
        (b'{"a":9007199254740993}', False),
        (b'{"a":01}', False),
        (b'{"a":NaN}', False),
        (b'{"a":[-Infinity]}', False),
        (b'{"a":"\\u0041"}', False),
        (b'{"a":"\\/"}', False),
        (b'{"a":"\\u001f"}', True),
        (b'{"a":"\\u001F"}', False),
        (b'{"a":"\\u0000"}', False),
        (b'{"a":"\\\\u0000"}', True),
        (b'{"a":"\\ud800"}', False),
        (b'{"a":"\x7f"}', True),
        (b'{"a":"\xff"}', False),
        (b"\xef\xbb\xbf{}", False),
        (b'{"a":1', False),
        (b"[" * 200 + b"]" * 200, True),
        (b"[" * 300 + b"]" * 300, False),
        (b"[" * 30000 + b"]" * 30000, False),
    ],
)
def test_canonical_json_is_told_from_other_json(text: bytes, *, canonical: bool) -> None:
    try:
        verify.canonical_value(text)
        found = True
    except verify.Refused:
        found = False
    assert found is canonical


def shape_of(*values: Any) -> verify.Shape:
    shape = verify.Shape()
    for value in values:
        shape.add(json.loads(rfc8785.dumps(value)))
    return shape


@settings(deadline=None)
@given(st.lists(JSON, min_size=1, max_size=3), st.data())
def test_whatever_has_the_shape_of_canonical_json_is_canonical(values: list[Any], data: st.DataObject) -> None:
    """The regular expression itself makes the texts."""
    pattern = re.compile(shape_of(*values).expression(), re.ASCII)
    text = data.draw(st.from_regex(pattern, fullmatch=True))
    if not text.encode().translate(None, verify.PLAIN):
        assert rfc8785.dumps(json.loads(text)) == text.encode()


@settings(deadline=None)
@given(JSON, JSON, st.data())
def test_one_changed_byte_has_the_shape_only_if_it_is_canonical_still(
    value: Any, more: Any, data: st.DataObject
) -> None:
    text = bytearray(rfc8785.dumps(value))
    pattern = re.compile(shape_of(value, more).expression().encode())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at : at + data.draw(st.integers(0, 1))] = data.draw(st.binary(max_size=2))
    if not text.translate(None, verify.PLAIN) and pattern.fullmatch(text):
        assert rfc8785.dumps(json.loads(bytes(text))) == bytes(text)


def spoilt(text: bytes, draw: Callable[[st.SearchStrategy[Any]], Any]) -> list[bytes]:
    """The entry with some bytes taken out and others put in, or cut in two as if it were two entries."""
    at = draw(st.integers(0, len(text)))
    if draw(st.booleans()):
        return [text[:at], text[at:]]
    return [text[:at] + draw(st.sampled_from([b"", b"\n", b'"', b"\xe5", b"{}", b"0"])) + text[at + draw(ALTERED) :]]


ALTERED = st.integers(0, 2)


def raw(n: int, data: bytes) -> bytes:
    """An entry with such data, JSON or not."""
    return entry(n, data="@@").replace(b'"@@"', data)


TEACHING: dict[str, tuple[list[dict[str, Any]], list[bytes]]] = {
    "names with quotation marks": (
        [{'b":1,"a': 1}, {'a":1},"position":999,"data":{"a': 1}, {'a":no JSON,"z': 1}, {"z": 1}],
        [b'{"b":1,"a":7}', b'{"a":1},"position":999,"data":{"a":7}', b'{"a":no JSON,"z":7}'],
    ),
    "nothing short enough": ([{f"n{k:04}": 0 for k in range(700)}], [b"", b"{}"[:1]]),
    "what may be absent": (
        [{"a": 1, "b": 2, "c": [1, 2, True]}, {"a": 1, "c": [1, 2]}, {"a": 1, "c": []}],
        [
            b'{"a":1,"b":,"c":[1]}',
            b'{"a":1,"c":[1,]}',
            b'{"a":1,"c":[,]}',
            b'{"a":1,"b":"c":[1]}',
            b'{"a":1,"c":[1true]}',
        ],
    ),
}


@pytest.mark.parametrize("taught", TEACHING)
def test_what_an_attacker_teaches_lets_nothing_else_through(monkeypatch: pytest.MonkeyPatch, taught: str) -> None:
    lessons, wrong = TEACHING[taught]
    monkeypatch.setattr(verify, "KNOWN", verify.Known())
    honest = [entry(n, data=lessons[n % len(lessons)]) for n in range(1, 65)]
    found = verify.Found()
    verify.scan_events([*honest, *(raw(65 + n, data) for n, data in enumerate(wrong))], 0, found)
    assert verify.KNOWN.lines is not None
    assert [position for position, _ in found.odd] == list(range(65, 65 + len(wrong)))


def nested(depth: int, value: Any, *, array: bool) -> Any:
    for _ in range(depth):
        value = [value] if array else {"a": value}
    return value


@pytest.mark.parametrize(
    "data",
    [
        lambda _: nested(240, 1, array=True),
        lambda n: [nested(k, {}, array=False) for k in range(n % 16 * 16, n % 16 * 16 + 14)],
        lambda n: {f"n{n}_{k}": k for k in range(3000)},
        lambda n: {f"n{k}": [] for k in range(n % 60)},
    ],
    ids=["arrays", "objects", "names", "absent names"],
)
def test_a_log_made_to_be_costly_is_read_in_bounded_time(monkeypatch: pytest.MonkeyPatch, data: Any) -> None:
    monkeypatch.setattr(verify, "KNOWN", verify.Known())
    given = [entry(n, data=data(n)) for n in range(1, 97)]
    began = time.process_time()
    found = verify.Found()
    verify.scan_events(given, 0, found)
    assert not found.odd
    assert time.process_time() - began < 20


def test_complaints_do_not_repeat_a_long_name_for_every_entry() -> None:
    found = verify.Found()
    verify.scan_events([entry(1, tenant="x" * 60_000), entry(2), entry(3, tenant="y" * 60_000)], 0, found)
    assert found.odd
    assert sum(len(why) for _, why in found.odd) < 1000


def test_one_entry_of_another_tenant_is_named_alone_wherever_it_stands(tmp_path: Path) -> None:
    given = [entry(n, **({"tenant": "other"} if n == verify.PIECE * 256 + 1 else {})) for n in range(1, 2401)]
    Log(tmp_path, Signer("localhost/log/yamato")).publish(given)
    assert verify.verify(str(tmp_path)).positions == ((2049, 2049),)


def test_no_position_is_named_that_there_is_none_of(tmp_path: Path) -> None:
    given = [entry(n) if not 2048 < n <= 4096 else b"{}" for n in range(1, 4201)]
    Log(tmp_path, Signer("localhost/log/yamato")).publish(given)
    assert verify.verify(str(tmp_path)).positions == ((2049, 4096),)


def test_no_process_is_none_that_reads(tmp_path: Path) -> None:
    made(tmp_path, 3)
    with pytest.raises(verify.CannotCheck, match="at least one"):
        verify.verify(str(tmp_path), processes=-1)


@settings(deadline=None)
@given(st.data())
def test_a_row_is_known_only_of_an_entry_that_parsing_finds_the_same_of(data: st.DataObject) -> None:
    """Whatever stands beside it: entries are told apart although they are looked at all at once."""
    known = verify.Known()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "KNOWN", known)
        patch.setattr(verify, "OFTEN", 1)
        honest = entries(16)
        rows = list(map(verify.event_row, honest))
        assert known.rows(honest) == rows
        index = data.draw(st.integers(0, 15))
        bad = spoilt(honest[index], data.draw)
        given = [*honest[:index], *bad, *honest[index + 1 :]]
        found = known.rows(given)
        assert len(found) == len(given)
        for row, each in zip(found, given, strict=True):
            assert not row[0] or row == verify.event_row(each)
        # One that is no plain text leaves its neighbours as quick as they were.
        if len(bad) == 1 and b"\xe5" in bad[0]:
            assert [row for row, each in zip(found, given, strict=True) if each in honest] == rows[:index] + rows[
                index + 1 :
            ]
