"""A file that is not the archive that was written is refused, says what is wrong, and leaves nothing behind."""

from __future__ import annotations

import json
import random
import tarfile
import time
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from tenants.archive.format import ArchiveRefused
from tenants.archive.importing import import_archive
from tenants.archive.stream import write_member
from tenants.ledger.note import Signer
from tests.tenants.archives.conftest import Left
from tests.tenants.archives.town import Installation, Members, ended, members, packed, sealed_again

PUBLIC, CLOSED, MANIFEST, SEAL = (
    "disclosures/public.jsonl",
    "disclosures/closed.jsonl",
    "manifest.json",
    "SHA256SUMS.note",
)


@pytest.fixture
def refused(left: Left, nowhere: Installation) -> Callable[[Path], str]:
    """Imports a file that must be refused; what was said. Nothing of the town may be there afterwards."""

    def refuse(path: Path) -> str:
        with pytest.raises(ArchiveRefused) as caught:
            import_archive(*nowhere.parts, path)
        assert nowhere.traces(left.book.tenant) == {}
        assert not nowhere.keys.versions(left.book.tenant)
        assert str(path) in str(caught.value)
        return str(caught.value)

    return refuse


def test_a_file_cut_off_anywhere_is_refused(left: Left, tmp_path: Path, refused: Callable[[Path], str]) -> None:
    whole, path = left.public.read_bytes(), tmp_path / "cut.tar.gz"
    lengths = random.Random(1)
    for length in (0, 1, 1_000, len(whole) - 1, *(lengths.randrange(len(whole)) for _ in range(15))):
        path.write_bytes(whole[:length])
        assert "cut off" in refused(path)


def test_one_bit_altered_anywhere_is_refused(left: Left, tmp_path: Path, refused: Callable[[Path], str]) -> None:
    whole, path, places = left.everything.read_bytes(), tmp_path / "altered.tar.gz", random.Random(2)
    for _ in range(40):
        altered = bytearray(whole)
        altered[places.randrange(len(whole))] ^= 1 << places.randrange(8)
        path.write_bytes(altered)
        assert refused(path).endswith(("copy it again", "or is none"))


def _with(name: str, change: Callable[[bytes], bytes]) -> Callable[[Members], Members]:
    return lambda content: {**content, name: change(content[name])}


def _flipped(data: bytes) -> bytes:
    return data[:100] + bytes([data[100] ^ 1]) + data[101:]


def _without(name: str) -> Callable[[Members], Members]:
    return lambda content: {each: data for each, data in content.items() if each != name}


def _added(name: str) -> Callable[[Members], Members]:
    return lambda content: {name: b"{}", **content}


def _swapped(content: Members) -> Members:
    names = list(content)
    names[2], names[3] = names[3], names[2]
    return {name: content[name] for name in names}


def _swapped_lines(data: bytes) -> bytes:
    first, second, *rest = data.split(b"\n")
    return b"\n".join([second, first, *rest])


FULL = "tile/entries/000"

ALTERATIONS: dict[str, tuple[Callable[[Members], Members], str]] = {
    "an entry": (_with(FULL, _flipped), f"{FULL} was altered"),
    "a hash tile": (_with("tile/0/000", _flipped), "tile/0/000 was altered"),
    "the manifest": (_with(MANIFEST, lambda data: data.replace(b"kaku-cho", b"baku-cho")), "manifest.json was altered"),
    "disclosures": (_with(PUBLIC, _swapped_lines), "public.jsonl was altered"),
    "the checkpoint": (_with("checkpoint", lambda data: data.replace(b"kaku", b"baku", 1)), "checkpoint was altered"),
    "a programme": (
        _with("programmes/watching.json", lambda data: data + b" "),
        "programmes/watching.json was altered",
    ),
    "a member less": (_without("programmes/watching.json"), "SHA256SUMS.note names programmes/watching.json: members"),
    "the seal less": (_without(SEAL), "not sealed"),
    "the key less": (_without("key"), "the member key is missing"),
    "a member more": (_added("programmes/extra.json"), "member 1 is programmes/extra.json"),
    "a path that leads out": (_added("../../etc/passwd"), "no member '../../etc/passwd'"),
    "an absolute path": (_added("/etc/passwd"), "no member '/etc/passwd'"),
    "an unknown tile": (_added("tile/0/0001"), "no member 'tile/0/0001'"),
    "members moved": (_swapped, "members are added, gone or moved"),
    "the seal altered": (_with(SEAL, lambda data: data.replace(b"v1", b"v2", 1)), "not the seal of an archive"),
    "the signature altered": (_with(SEAL, lambda data: data[:-8] + b"AAAAAA=\n"), "SHA256SUMS.note"),
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_an_altered_archive_is_refused_by_what_was_altered(
    left: Left, tmp_path: Path, refused: Callable[[Path], str], what: str
) -> None:
    change, said = ALTERATIONS[what]
    path = packed(tmp_path / "altered.tar.gz", list(change(members(left.public)).items()))
    assert said in refused(path)


def test_a_member_twice_is_refused(left: Left, tmp_path: Path, refused: Callable[[Path], str]) -> None:
    content = list(members(left.public).items())
    assert "there twice" in refused(packed(tmp_path / "twice.tar.gz", [content[0], *content]))


def test_an_archive_sealed_by_somebody_else_is_refused_where_the_key_is_known(
    left: Left, nowhere: Installation, tmp_path: Path, refused: Callable[[Path], str]
) -> None:
    (signer,) = left.home.log_keys.signers(left.book.tenant)
    other = Signer.create(signer.name)
    content = {**members(left.public), "key": f"{other.verifier.vkey}\n".encode()}
    path = packed(tmp_path / "forged.tar.gz", sealed_again(content, other))
    assert "checkpoint: the note is not signed" in refused(path)
    with pytest.raises(ArchiveRefused, match="sealed with the key"):
        import_archive(*nowhere.parts, path, key=signer.verifier)


def _manifest(**changes: object) -> Callable[[Members], Members]:
    return _with(MANIFEST, lambda data: json.dumps(json.loads(data) | changes).encode())


def _told(part: str, **changes: object) -> Callable[[Members], Members]:
    def change(data: bytes) -> bytes:
        told = json.loads(data)
        return json.dumps(told | {part: told[part] | changes}).encode()

    return _with(MANIFEST, change)


def _lines(change: Callable[[list[dict[str, object]]], list[dict[str, object]]]) -> Callable[[Members], Members]:
    def changed(data: bytes) -> bytes:
        lines = change([json.loads(line) for line in data.splitlines()])
        return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)

    return _with(PUBLIC, changed)


def _exchanged(lines: list[dict[str, object]]) -> list[dict[str, object]]:
    lines[0]["disclosure"], lines[1]["disclosure"] = lines[1]["disclosure"], lines[0]["disclosure"]
    return lines


def _moved(lines: list[dict[str, object]]) -> list[dict[str, object]]:
    lines[-1]["position"] = 9_999
    return lines


NEWER = [
    {"type": "ProposalSubmitted", "schema_version": 7, "count": 1},
    {"type": "Teleported", "schema_version": 1, "count": 1},
]

LIES: dict[str, tuple[Callable[[Members], Members], str]] = {
    "another format": (_manifest(format=2), "reads up to format 1: upgrade"),
    "an unknown member of the manifest": (_manifest(more=1), "manifest.json: more"),
    "no JSON": (_with(MANIFEST, lambda _: b"?"), "not JSON"),
    "events of a newer release": (_manifest(events=NEWER), "does not know ProposalSubmitted in schema version 7, Tele"),
    "another count of events": (_manifest(events=[]), "counts other event types"),
    "another size": (_told("log", size=200), "member 1 is tile/entries/000 where tile/entries/000.p/200"),
    "another root": (_told("log", root="A" * 43 + "="), "another checkpoint"),
    "another city": (_told("city", id="00000000-0000-4000-8000-000000000000"), "position 1: the entry is of"),
    "fewer texts": (_told("disclosures", public=1), "counts other disclosures"),
    "a programme that is not there": (_manifest(programmes=["other"]), "where programmes/other.json belongs"),
    "texts exchanged": (_lines(_exchanged), "public.jsonl, line 1: the disclosure is not the one"),
    "texts out of order": (_lines(lambda lines: [lines[1], lines[0], *lines[2:]]), "out of order"),
    "a text twice": (_lines(lambda lines: [lines[0], *lines]), "out of order, or there twice"),
    "a text of no event": (_lines(_moved), "the log has no position 9999"),
    "a text at another event": (
        _lines(lambda lines: [lines[0] | {"position": 1 + int(str(lines[0]["position"]))}]),
        "holds no digest",
    ),
    "a closed text among public ones": (_lines(lambda lines: [lines[0] | {"visibility": "CITY"}]), "not public"),
    "a waiting text among public ones": (_lines(lambda lines: [lines[0] | {"embargo": "DECISION/1"}]), "not public"),
    "a line without its end": (_with(PUBLIC, lambda data: data[:-1]), "has no end"),
    "a line without end": (_with(PUBLIC, lambda _: b"x" * 400_000), "longer than"),
    "hashes of other entries": (_with("tile/0/000", _flipped), "tile/0/000 does not hold the hashes"),
    "a partial tile altered": (_with("tile/1/000.p/1", lambda _: bytes(32)), "tile/1/000.p/1 does not hold"),
    "entries altered": (
        _with(FULL, lambda data: data.replace(b'"mode":"RETROACTIVE"', b'"mode":"RETROACTIVF"', 1)),
        "position 1:",
    ),
    "entries not canonical": (
        _with(FULL, lambda data: data.replace(b'","approved_by":', b'", "approved_by":', 1)),
        FULL,
    ),
    "a bundle cut off": (_with(FULL, lambda data: data[:-1]), "cut off"),
}


@pytest.mark.parametrize("what", LIES)
def test_an_archive_that_its_own_writer_made_wrong_is_refused(
    left: Left, tmp_path: Path, refused: Callable[[Path], str], what: str
) -> None:
    (signer,) = left.home.log_keys.signers(left.book.tenant)
    change, said = LIES[what]
    path = packed(tmp_path / "lying.tar.gz", sealed_again(change(members(left.public)), signer))
    assert said in refused(path)


def test_an_entry_that_was_never_recorded_is_refused(
    left: Left, tmp_path: Path, refused: Callable[[Path], str]
) -> None:
    (signer,) = left.home.log_keys.signers(left.book.tenant)
    change = _with(FULL, lambda data: data.replace(b"more-7", b"more-8", 1))
    path = packed(tmp_path / "lying.tar.gz", sealed_again(change(members(left.public)), signer))
    assert "tile/0/000 does not hold the hashes of the entries" in refused(path)


def _raw(header: bytes, content: bytes) -> bytes:
    """A gzip member in the form of an archive, of any tar header and content."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    plain = header + content
    packed = deflate.compress(plain) + deflate.flush()
    trailer = zlib.crc32(plain).to_bytes(4, "little") + (len(plain) & 0xFFFFFFFF).to_bytes(4, "little")
    return bytes.fromhex("1f8b08000000000000ff") + packed + trailer


def _header(name: str, size: int, **fields: object) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.USTAR_FORMAT)


FORMS: dict[str, tuple[bytes, str]] = {
    "a link": (_raw(_header("key", 0, type=tarfile.SYMTYPE, linkname="/etc/passwd"), b""), "not a plain file"),
    "a folder": (_raw(_header("key", 0, type=tarfile.DIRTYPE), b""), "not a plain file"),
    "a device": (_raw(_header("key", 0, type=tarfile.CHRTYPE), b""), "not a plain file"),
    "an owner": (_raw(_header("key", 0, uname="root"), b""), "not a plain file"),
    "no tar": (_raw(b"x" * 512, b""), "tar header is damaged"),
    "more than its header says": (_raw(_header("key", 10), bytes(5_000)), "behind its content"),
    "less than its header says": (_raw(_header("key", 1_000), b"x"), "ends before its content does"),
    "too large": (_raw(_header("key", 5_000), bytes(5_120)), "1000 at most are allowed"),
    "no gzip": (b"x" * 1_000, "no member of an archive begins here"),
    "broken deflate": (bytes.fromhex("1f8b08000000000000ff") + b"\xff" * 100, "damaged"),
    "a wrong checksum": (_raw(_header("key", 512), bytes(512))[:-8] + bytes(8), "checksum"),
    "a member without its end": (_raw(_header("key", 512), bytes(512))[:-12], "damaged"),
}


@pytest.mark.parametrize("what", FORMS)
def test_bytes_in_another_form_are_refused(tmp_path: Path, refused: Callable[[Path], str], what: str) -> None:
    data, said = FORMS[what]
    path = tmp_path / "form.tar.gz"
    path.write_bytes(ended(data))
    assert said in refused(path)


def test_a_bomb_is_refused_before_it_grows(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    file = BytesIO()
    chunk = bytes(1 << 20)
    write_member(file, "key", 64 << 20, (chunk for _ in range(64)))
    behind = zlib.compressobj(1, zlib.DEFLATED, -15)
    grown = behind.compress(_header("key", 0)) + b"".join(behind.compress(chunk) for _ in range(64)) + behind.flush()
    path, began = tmp_path / "bomb.tar.gz", time.process_time()
    path.write_bytes(ended(file.getvalue()))
    assert "1000 at most are allowed" in refused(path)
    path.write_bytes(ended(bytes.fromhex("1f8b08000000000000ff") + grown + bytes(8)))
    assert "behind its content" in refused(path)
    assert time.process_time() - began < 1


def test_a_file_that_is_not_there_is_named(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    assert "cannot be read" in refused(tmp_path / "none.tar.gz")
    assert "cannot be read" in refused(tmp_path)
