"""The logs over HTTP, as C2SP tlog-tiles and tlog-proof have them: read by somebody who knows those texts only."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from hashlib import sha256
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from fastapi import FastAPI
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gateway.app import create_app
from gateway.log import Promise
from tenants.book import Book
from tenants.cases import import_cases
from tenants.city_keys import CityKeys
from tenants.custody import withdraw
from tenants.database import Database, Role
from tenants.event_store import RecordedEvent, TenantRecorder
from tenants.ledger.keys import LogKeys
from tenants.ledger.note import COSIGNATURE, Verifier, signature_line
from tenants.ledger.policy import Policy
from tenants.ledger.publish import Publisher, make_missing_keys
from tenants.ledger.store import ROOT_LOG
from tenants.programmes import InvalidFile, load_city
from tenants.registry import register

FOREVER = "public, max-age=31536000, immutable"
MOMENT = "public, max-age=2"
TEXT = "text/plain; charset=utf-8"
PROBLEM = "application/problem+json"


class Logs:
    """Towns with plain events, signed, and Yamato with all its cases if wanted; and what serves them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.keys, self.log_keys = database, CityKeys(folder / "keys"), LogKeys(folder / "log")
        self.cities: dict[str, UUID] = {}

    def with_town(self, slug: str = "machi") -> Logs:
        self.cities[slug] = uuid4()
        with self.database.app() as connection:
            town = (self.cities[slug], slug)
            connection.execute("SELECT register_tenant(%s, %s, NULL, '町', 'Town', 'MUNICIPALITY')", town)
        self.add(300, slug)
        return self

    def with_yamato(self) -> Logs:
        folder = Path(str(files("tenants").joinpath("yamato")))
        registered, _ = register(self.database, self.keys, folder)
        self.cities["yamato"] = registered.tenant_id
        import_cases(self.book, "yamato", folder / "cases.json")
        return self

    @property
    def book(self) -> Book:
        return Book(self.database, self.keys, self.cities["yamato"])

    def add(self, count: int, slug: str = "machi") -> None:
        events = [RecordedEvent(uuid4(), 1, "Something", b'{"n":%d}' % number) for number in range(count)]
        TenantRecorder(self.database, self.cities[slug]).append(events)

    def publish(self) -> Logs:
        origins = {city: slug for slug, city in self.cities.items()}
        make_missing_keys(self.database, self.log_keys, "example.jp/log", origins)
        Publisher(self.database, self.log_keys).publish()
        return self

    def app(self, **options: Any) -> FastAPI:
        return create_app(self.database, pending_migrations=list, **({"keys": self.keys} | options))


@pytest.fixture(scope="module")
def signed(server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logs]:
    """Yamato and a town, for tests that only read."""
    name = f"{server.prefix}_logs"
    server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, server.template, server.owner)
    opened = Database(server.urls(name))
    try:
        yield Logs(opened, tmp_path_factory.mktemp("log")).with_town().with_yamato().publish()
    finally:
        opened.close()
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def log(signed: Logs, serve: Callable[[FastAPI], httpx.Client]) -> httpx.Client:
    """A reader of it."""
    return serve(signed.app())


@pytest.fixture
def own(database: Database, tmp_path: Path) -> Logs:
    """A town, for tests that change something."""
    return Logs(database, tmp_path).with_town().publish()


@pytest.fixture
def superuser(server, database: Database) -> psycopg.Connection:
    """One who may change what is stored."""
    name = conninfo_to_dict(database.urls.owner)["dbname"]
    url = make_conninfo(**{**conninfo_to_dict(server.superuser), "dbname": name})
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def leaf(entry: bytes) -> bytes:
    return sha256(b"\0" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, as it is defined."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root_of(leaves[:split]), root_of(leaves[split:]))


def opened(note: str, vkey: str) -> tuple[str, int, bytes]:
    """Origin, size and root of a checkpoint that this key signed (C2SP signed-note, tlog-checkpoint)."""
    name, identity, encoded = vkey.strip().split("+", 2)
    key = b64decode(encoded)
    assert key[:1] == b"\1"
    assert sha256(f"{name}\n".encode() + key).digest()[:4].hex() == identity
    text, lines = note.rsplit("\n\n", 1)
    text += "\n"
    found = [line.split(" ") for line in lines.removesuffix("\n").split("\n")]
    signatures = [b64decode(line[2]) for line in found if line[:2] == ["—", name]]
    (signature,) = [each for each in signatures if each[:4].hex() == identity]
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], text.encode())
    origin, size, root = text.removesuffix("\n").split("\n")
    assert origin == name
    return origin, int(size), b64decode(root)


def included(text: str, vkey: str) -> tuple[int, bytes, str]:
    """Index, entry and checkpoint of a tlog-proof, verified (C2SP tlog-proof; RFC 9162 §2.1.3.2)."""
    header, checkpoint = text.split("\n\n", 1)
    version, extra, at, *path = header.split("\n")
    assert version == "c2sp.org/tlog-proof@v1"
    entry, index = b64decode(extra.removeprefix("extra ")), int(at.removeprefix("index "))
    _, size, root = opened(checkpoint, vkey)
    fn, sn, r = index, size - 1, leaf(entry)
    for encoded in path:
        assert sn > 0
        if fn & 1 or fn == sn:
            r = node(b64decode(encoded), r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, b64decode(encoded))
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    assert r == root
    return index, entry, checkpoint


def unbundled(data: bytes) -> list[bytes]:
    entries = []
    while data:
        length = int.from_bytes(data[:2], "big")
        entries.append(data[2 : 2 + length])
        assert len(entries[-1]) == length
        data = data[2 + length :]
    return entries


def checkpoint(reader: httpx.Client, name: str) -> tuple[str, int, bytes]:
    return opened(reader.get(f"/log/{name}/checkpoint").text, reader.get(f"/log/{name}/key").text)


def is_problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["cache-control"] == "no-store"
    return str(answer.json().get("detail"))


def test_a_checkpoint_is_a_signed_note_that_caches_keep_for_a_moment(log) -> None:
    for name in ("yamato", "machi", "root"):
        answer = log.get(f"/log/{name}/checkpoint")
        assert (answer.status_code, answer.headers["content-type"]) == (200, TEXT)
        assert answer.headers["cache-control"] == MOMENT
        origin, size, _ = opened(answer.text, log.get(f"/log/{name}/key").text)
        assert origin == f"example.jp/log/{name}"
        assert size > 0


def test_a_checkpoint_that_is_known_is_not_sent_again_until_there_is_another(own, serve) -> None:
    log = serve(own.app())
    first = log.get("/log/machi/checkpoint")
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = log.get("/log/machi/checkpoint", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == MOMENT
    own.add(1)
    own.publish()
    new = log.get("/log/machi/checkpoint", headers={"If-None-Match": tag})
    assert (new.status_code, new.headers["etag"] != tag) == (200, True)
    assert opened(new.text, log.get("/log/machi/key").text)[1] == 301


def test_tiles_and_bundles_make_up_the_signed_tree(log) -> None:
    _, size, root = checkpoint(log, "machi")
    assert size == 300
    paths = {"0/000": 256, "0/001.p/44": 44, "1/000.p/1": 1}
    tiles = {path: log.get(f"/log/machi/tile/{path}") for path in paths}
    bundles = [log.get(f"/log/machi/tile/entries/{path}") for path in ("000", "001.p/44")]
    for answer in (*tiles.values(), *bundles):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream")
        assert answer.headers["cache-control"] == FOREVER
    assert {path: len(answer.content) for path, answer in tiles.items()} == {p: 32 * w for p, w in paths.items()}
    hashes = tiles["0/000"].content + tiles["0/001.p/44"].content
    leaves = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    assert [leaf(entry) for answer in bundles for entry in unbundled(answer.content)] == leaves
    assert tiles["1/000.p/1"].content == root_of(leaves[:256])
    assert root_of(leaves) == root


def test_the_entries_of_the_root_log_are_the_checkpoints_of_the_cities(log) -> None:
    _, size, root = checkpoint(log, "root")
    assert size == 2
    entries = unbundled(log.get("/log/root/tile/entries/000.p/2").content)
    assert log.get("/log/root/tile/0/000.p/2").content == b"".join(map(leaf, entries))
    assert root_of([leaf(entry) for entry in entries]) == root
    assert {entry.decode() for entry in entries} == {log.get(f"/log/{c}/checkpoint").text for c in ("yamato", "machi")}


def test_partial_tiles_of_every_checkpoint_stay_and_none_beyond_the_latest_is_there(own, serve) -> None:
    log = serve(own.app())
    own.add(3)
    for path in ("0/001.p/45", "entries/001.p/45"):
        assert "beyond the latest checkpoint" in is_problem(log.get(f"/log/machi/tile/{path}"), 404), "not yet signed"
    before = log.get("/log/machi/tile/entries/001.p/44").content
    own.publish()
    assert log.get("/log/machi/tile/entries/001.p/44").content == before
    assert log.get("/log/machi/tile/entries/001.p/47").content.startswith(before)
    for path in ("0/001.p/48", "0/001", "0/002.p/1", "1/000.p/2", "1/000", "2/000.p/1", "63/000", "entries/001"):
        is_problem(log.get(f"/log/machi/tile/{path}"), 404)
    is_problem(log.get("/log/machi/tile/0/x999/x999/x999/x999/x999/999"), 404)


NO_TILES = [
    "0",
    "0/0",
    "0/0000",
    "00/000",
    "64/000",
    "-1/000",
    "x/000",
    "data/000",
    "0/000.p/0",
    "0/000.p/01",
    "0/000.p/256",
    "0/000.p/300",
    "0/000.p",
    "0/000/",
    "0/x000/000",
    "0/%EF%BC%90000",
    "0/000%00",
    "entries/000.p/-1",
    "entries%2F..%2F0/000",
    "0/" + "x999/" * 2_000 + "999",
]


def test_a_malformed_tile_is_a_request_that_makes_no_sense(log) -> None:
    for path in NO_TILES:
        assert "is no tile" in is_problem(log.get(f"/log/machi/tile/{path}"), 400), path


def test_bundles_are_compressed_for_who_asks_and_hashes_never(log) -> None:
    path = "/log/machi/tile/entries/000"
    with log.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        assert "accept-encoding" in answer.headers["vary"].lower()
        assert int(answer.headers["content-length"]) == len(packed)
    plain = log.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(packed) == plain.content
    assert len(packed) < len(plain.content) / 2
    for other in ("tile/0/000", "tile/entries/000.p/1"):
        assert "content-encoding" not in log.get(f"/log/machi/{other}", headers={"Accept-Encoding": "gzip"}).headers


def test_a_proof_of_any_position_verifies_with_the_key_alone(log) -> None:
    key = log.get("/log/machi/key").text
    entries = [log.get("/log/machi/tile/entries/" + path).content for path in ("000", "001.p/44")]
    expected = [entry for bundle in entries for entry in unbundled(bundle)]
    for position in (1, 2, 255, 256, 257, 299, 300):
        answer = log.get(f"/log/machi/proof/{position}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, TEXT)
        assert answer.headers["cache-control"] == MOMENT
        assert f'filename="machi-{position}.tlog-proof"' in answer.headers["content-disposition"]
        index, entry, note = included(answer.text, key)
        assert (index, entry) == (position - 1, expected[position - 1])
        assert json.loads(entry)["position"] == position
        assert note == log.get("/log/machi/checkpoint").text


def test_the_root_proof_shows_a_citys_checkpoint_in_the_root_log(log) -> None:
    key = log.get("/log/root/key").text
    for city in ("yamato", "machi"):
        answer = log.get(f"/log/{city}/root-proof")
        assert (answer.headers["content-type"], answer.headers["cache-control"]) == (TEXT, MOMENT)
        _, entry, note = included(answer.text, key)
        assert entry.decode() == log.get(f"/log/{city}/checkpoint").text
        assert note == log.get("/log/root/checkpoint").text
    assert "only a city" in is_problem(log.get("/log/root/root-proof"), 404)


def test_a_position_that_is_not_published_is_not_there(log) -> None:
    for position, kind in product(("0", "301", "999999999999999999"), ("proof", "disclosures")):
        assert position in is_problem(log.get(f"/log/machi/{kind}/{position}"), 404)


NO_POSITIONS = ["-1", "+1", "1.0", "01", "1e2", "x", "%20", "1%00", "%D9%A1", "1" + "0" * 18, "1" * 5_000]


def test_what_is_no_position_is_a_request_that_makes_no_sense(log) -> None:
    for position, kind in product(NO_POSITIONS, ("proof", "disclosures")):
        assert "is not a position" in is_problem(log.get(f"/log/machi/{kind}/{position}"), 400)


NO_LOGS = ["nowhere", "Machi", "ROOT", "%00", "%E7%94%BA", "machi%20", "'", "x" * 5_000]


def test_a_log_that_nobody_keeps_is_not_there(log) -> None:
    paths = ("checkpoint", "key", "keys", "tile/0/000", "proof/1", "root-proof", "timestamp", "disclosures/1")
    for name, path in product(NO_LOGS, paths):
        assert "no log is called" in is_problem(log.get(f"/log/{name}/{path}"), 404)


def test_a_log_without_a_checkpoint_says_that_none_is_signed_yet(database, tenant, serve) -> None:
    tenant("new-town")
    log = serve(create_app(database, pending_migrations=list))
    for name in ("new-town", "root"):
        for path in ("checkpoint", "key", "keys"):
            assert "signed yet" in is_problem(log.get(f"/log/{name}/{path}"), 404)
        for path in ("tile/0/000.p/1", "proof/1", "root-proof", "timestamp"):
            is_problem(log.get(f"/log/{name}/{path}"), 404)
    assert log.get("/log").json()["logs"] == []
    assert "No checkpoint has been signed yet" in log.get("/log?lang=en", headers={"accept": "text/html"}).text


def test_every_key_that_ever_signed_is_listed_and_the_last_one_signs_now(own, serve) -> None:
    log = serve(own.app())
    first = log.get("/log/machi/key")
    assert (first.headers["content-type"], first.headers["cache-control"]) == (TEXT, MOMENT)
    assert re.fullmatch(r"example\.jp/log/machi\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}\n", first.text)
    own.log_keys.rotate(own.cities["machi"])
    own.add(1)
    own.publish()
    second = log.get("/log/machi/key").text
    assert second != first.text
    assert log.get("/log/machi/keys").text == first.text + second
    note = log.get("/log/machi/checkpoint").text
    assert opened(note, first.text) == opened(note, second)
    own.log_keys.retire(own.cities["machi"])
    own.add(1)
    own.publish()
    assert opened(log.get("/log/machi/checkpoint").text, second)[1] == 302
    assert log.get("/log/machi/keys").text == first.text + second
    assert [each["key"] for each in log.get("/log").json()["logs"] if each["name"] == "machi"] == [second.strip()]


def test_the_index_lists_every_log_for_programs_and_for_people(signed, serve) -> None:
    log = serve(signed.app(promise=Promise(seconds=7.5)))
    answer = log.get("/log", headers={"accept": "application/json"})
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/json", MOMENT)
    assert "accept" in answer.headers["vary"].lower()
    body = answer.json()
    assert (body["checkpoint_seconds"], body["witnesses"]) == (7.5, [])
    assert {each["name"] for each in body["logs"]} == {"root", "yamato", "machi"}
    for each in body["logs"]:
        origin, size, root = checkpoint(log, each["name"])
        assert (each["origin"], each["size"], b64decode(each["root"])) == (origin, size, root)
        assert each["key"] == log.get(f"/log/{each['name']}/key").text.strip()
        assert each["witnessed"] is False
    for language, words in (
        ("ja", ("町", "大和市", "ありません", "7.5秒")),
        ("en", ("Town", "Yamato", "no outside witness", "7.5 s")),
    ):
        page = log.get("/log", params={"lang": language}, headers={"accept": "text/html"})
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert f'<html lang="{language}"' in page.text
        assert "accept" in page.headers["vary"].lower()
        for word in (*words, *(each["key"].replace("+", "&#43;") for each in body["logs"])):
            assert word in page.text or word.replace("&#43;", "+") in page.text, word


def test_the_index_says_which_logs_the_quorum_of_witnesses_has_seen(own, serve) -> None:
    private = Ed25519PrivateKey.generate()
    key = Verifier("witness.example/w", COSIGNATURE, private.public_key().public_bytes_raw())
    log = serve(own.app(promise=Promise(policy=Policy.of(f"witness w {key.vkey}\nquorum w\n"))))
    assert log.get("/log").json()["witnesses"] == [key.vkey]
    assert not any(each["witnessed"] for each in log.get("/log").json()["logs"])
    before = log.get("/log/machi/checkpoint")
    text = before.text.split("\n\n")[0] + "\n"
    line = signature_line(
        key.name, key.id, (9).to_bytes(8, "big") + private.sign(f"cosignature/v1\ntime 9\n{text}".encode())
    )
    with own.database.tenant(Role.PROJECTOR, own.cities["machi"]) as connection:
        connection.execute("INSERT INTO cosignature VALUES (%s, 300, 'w', %s, now())", (own.cities["machi"], line))
    after = log.get("/log/machi/checkpoint", headers={"If-None-Match": before.headers["etag"]})
    assert (after.status_code, after.text) == (200, before.text + line), "another entity, since it says more"
    assert {each["name"]: each["witnessed"] for each in log.get("/log").json()["logs"]} == {
        "root": False,
        "machi": True,
    }
    assert included(log.get("/log/machi/proof/1").text, log.get("/log/machi/key").text)[2] == after.text
    _, entry, _ = included(log.get("/log/machi/root-proof").text, log.get("/log/root/key").text)
    assert entry.decode() == before.text, "an entry of the root log holds the log's own signature only"


def test_the_verifier_can_be_downloaded(log) -> None:
    answer = log.get("/log/verify.py")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/x-python; charset=utf-8")
    assert answer.content == files("tenants.ledger").joinpath("verify.py").read_bytes()
    compile(answer.text, "verify.py", "exec")


def disclosed(reader: httpx.Client, position: int) -> dict[str, list[Any]]:
    """By digest: salt, name and value of the public disclosures of a position (RFC 9901 §4.2)."""
    answer = reader.get(f"/log/yamato/disclosures/{position}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["position"] == position
    found = {}
    for each in body["disclosures"]:
        digest = urlsafe_b64encode(sha256(each.encode("ascii")).digest()).rstrip(b"=").decode()
        found[digest] = json.loads(urlsafe_b64decode(each + "=" * (-len(each) % 4)))
    return found


def test_disclosures_hash_to_digests_in_their_own_entry(log) -> None:
    _, size, _ = checkpoint(log, "yamato")
    key, count = log.get("/log/yamato/key").text, 0
    for position in range(1, size + 1, 3):
        found = disclosed(log, position)
        _, entry, _ = included(log.get(f"/log/yamato/proof/{position}").text, key)
        for digest, (salt, name, value) in found.items():
            assert f'"{digest}"'.encode() in entry
            assert len(urlsafe_b64decode(salt + "==")) >= 16, "128 bits of salt, so that nothing can be guessed"
            assert isinstance(name, str)
            if isinstance(value, str) and len(value) > 9 and not value.isascii():
                assert value.encode() not in entry
                count += 1
    assert count > 10


def test_a_withdrawn_text_is_gone_with_the_next_request_and_every_proof_stays(database, serve, tmp_path) -> None:
    own = Logs(database, tmp_path).with_yamato().publish()
    log = serve(own.app())
    _, size, _ = checkpoint(log, "yamato")
    position, texts = next((p, found) for p in range(size, 0, -1) if (found := disclosed(log, p)))
    proof, digest = log.get(f"/log/yamato/proof/{position}").text, next(iter(texts))
    assert withdraw(own.book, digest, reason="PERSONAL_DATA", by="S/officer", on=date(2026, 11, 22)) is not None
    assert disclosed(log, position) == {each: text for each, text in texts.items() if each != digest}
    assert log.get(f"/log/yamato/proof/{position}").text == proof
    assert f'"{digest}"'.encode() in included(proof, log.get("/log/yamato/key").text)[1]


def test_a_process_without_the_cities_keys_shows_no_disclosures(signed, serve) -> None:
    log = serve(signed.app(keys=None))
    assert "no keys" in is_problem(log.get("/log/yamato/disclosures/1"), 503)
    assert log.get("/log/yamato/checkpoint").status_code == 200


def test_a_timestamp_is_served_as_it_came_with_the_size_that_it_is_of(own, serve) -> None:
    log = serve(own.app())
    assert "no timestamp" in is_problem(log.get("/log/root/timestamp"), 404)
    with own.database.tenant(Role.PROJECTOR, ROOT_LOG) as connection:
        connection.execute(
            "INSERT INTO checkpoint_timestamp VALUES (%s, 2, %s, %s)", (ROOT_LOG, b"\x30\x00", datetime.now(UTC))
        )
    answer = log.get("/log/root/timestamp")
    assert (answer.content, answer.headers["content-type"]) == (b"\x30\x00", "application/timestamp-reply")
    assert (answer.headers["checkpoint-size"], answer.headers["cache-control"]) == ("2", MOMENT)
    is_problem(log.get("/log/machi/timestamp"), 404)


def test_a_head_is_answered_as_a_get_without_the_body(log) -> None:
    for path in (
        "",
        "/verify.py",
        *(f"/machi/{each}" for each in ("checkpoint", "key", "keys", "tile/0/000", "tile/entries/000", "proof/3")),
        "/machi/root-proof",
        "/machi/disclosures/3",
        "/machi/tile/9/000",
        "/machi/tile/x",
    ):
        plain = {"accept-encoding": "identity"}
        full, head = log.get(f"/log{path}", headers=plain), log.head(f"/log{path}", headers=plain)
        assert (head.status_code, head.content) == (full.status_code, b""), path
        for header in ("content-type", "cache-control", "content-length", "etag"):
            assert head.headers.get(header) == full.headers.get(header), (path, header)


def test_nothing_can_be_written_here(log) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = log.request(method, "/log/machi/checkpoint")
        is_problem(answer, 405)
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


DAMAGES = [
    ("UPDATE event SET state = '{\"n\":9}' WHERE position = 270 AND", 270, "position 270 does not lead to the root"),
    ("UPDATE event SET actor = 'A/other' WHERE position = 270 AND", 270, "position 270 does not lead to the root"),
    ("UPDATE event SET leaf = sha256('x') WHERE position = 270 AND", 269, "position 269 does not lead to the root"),
    ("DELETE FROM event WHERE position = 270 AND", 270, "position 270 is missing"),
    ("DELETE FROM event WHERE position = 270 AND", 269, "position 270 is missing"),
    ("DELETE FROM tree_node WHERE", 270, "of the hashes 0 to 0 of tile level 1, 1 are missing"),
    ("UPDATE checkpoint SET root = sha256('x') WHERE", 3, "position 3 does not lead to the root"),
]


def test_what_is_damaged_is_not_proved_and_named(database, serve, superuser, tmp_path) -> None:
    towns = Logs(database, tmp_path).with_town()
    for number in range(len(DAMAGES)):
        towns.with_town(f"machi-{number}")
    log = serve(towns.publish().app())
    for number, (statement, position, said) in enumerate(DAMAGES):
        superuser.execute(f"{statement} tenant_id = %s", (towns.cities[f"machi-{number}"],))
        assert said in is_problem(log.get(f"/log/machi-{number}/proof/{position}"), 500)
        if statement.startswith("DELETE FROM event"):
            for path in ("0/001.p/44", "entries/001.p/44"):
                assert said in is_problem(log.get(f"/log/machi-{number}/tile/{path}"), 500)
            assert log.get(f"/log/machi-{number}/tile/0/000").status_code == 200
    assert included(log.get("/log/machi/proof/270").text, log.get("/log/machi/key").text)[0] == 269


def test_a_checkpoint_that_its_key_did_not_sign_is_not_listed_as_if_it_had(own, serve, superuser) -> None:
    log = serve(own.app())
    superuser.execute(
        "UPDATE checkpoint SET note = replace(note, '300', '299') WHERE tenant_id = %s", (own.cities["machi"],)
    )
    listed = {each["name"]: each["sound"] for each in log.get("/log").json()["logs"]}
    assert listed == {"root": True, "machi": False}
    assert "署名が合いません" in log.get("/log", headers={"accept": "text/html", "accept-language": "ja"}).text


def test_no_city_can_be_called_root(tmp_path) -> None:
    source = files("tenants").joinpath("yamato", "city.toml").read_text(encoding="utf-8")
    (tmp_path / "city.toml").write_text(re.sub(r"(?m)^slug *=.*$", 'slug = "root"', source), encoding="utf-8")
    with pytest.raises(InvalidFile, match="root is the name of the log over all"):
        load_city(tmp_path)


def test_the_database_being_gone_is_said_as_everywhere(nowhere) -> None:
    for path in ("", "/machi/checkpoint", "/root/tile/0/000", "/machi/proof/1"):
        assert "database" in is_problem(nowhere.get(f"/log{path}"), 503)
