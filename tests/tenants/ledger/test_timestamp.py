"""Timestamps of a real authority: openssl stamps the root log's checkpoint, and openssl verifies what is served."""

from __future__ import annotations

import logging
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from tenants.ledger import outside
from tenants.ledger.outside import TimestampAuthority
from tenants.ledger.publish import Publisher
from tenants.ledger.store import ROOT_LOG, NotInLog, PublishedLog

if shutil.which("openssl") is None:
    pytest.skip("openssl is not on this machine; it plays the timestamp authority", allow_module_level=True)

CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[ca]
basicConstraints = critical, CA:true
[authority]
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = tsa_1
[tsa_1]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/ca.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = {digests}
accuracy = secs:1
"""


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Authority:
    """`openssl ts` with a certificate for timestamping, in a folder of its own."""

    def __init__(self, folder: Path, digests: str = "sha256, sha512") -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.asked = folder, 0
        self.config = folder / "openssl.cnf"
        self.config.write_text(CONFIG.format(folder=folder, name="A time-stamping authority", digests=digests))
        for name, extensions in (("ca", "ca"), ("tsa", "authority")):
            key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
            signed = ("-CA", folder / "ca.pem", "-CAkey", folder / "ca.key") if name == "tsa" else ()
            openssl(
                "req",
                "-new",
                "-x509",
                "-config",
                self.config,
                "-extensions",
                extensions,
                "-key",
                key,
                "-days",
                "2",
                "-subj",
                f"/CN={name}",
                "-out",
                certificate,
                *signed,
            )
        (folder / "serial").write_text("01\n")

    def stamp(self, query: bytes) -> bytes:
        self.asked += 1
        asked, given = self.folder / "query.tsq", self.folder / "reply.tsr"
        asked.write_bytes(query)
        openssl("ts", "-reply", "-config", self.config, "-section", "tsa_1", "-queryfile", asked, "-out", given)
        return given.read_bytes()

    def verify(self, response: bytes, data: bytes) -> bool:
        stamped, given = self.folder / "data", self.folder / "response.tsr"
        stamped.write_bytes(data)
        given.write_bytes(response)
        done = subprocess.run(
            ["openssl", "ts", "-verify", "-in", given, "-data", stamped, "-CAfile", self.folder / "ca.pem"],
            capture_output=True,
            check=False,
        )
        return done.returncode == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority's keys, made once."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def authority(made: Authority) -> Authority:
    """An authority that nobody asked yet."""
    made.asked = 0
    return made


@pytest.fixture
def address(answering, authority: Authority) -> Iterator[str]:
    """Where it answers."""

    def respond(_: str, body: bytes) -> tuple[int, str, bytes]:
        return 200, "application/timestamp-reply", authority.stamp(body)

    with answering(respond) as where:
        yield f"{where}/tsr"


@pytest.fixture
def grow(database, log_keys, city, record) -> Callable[[], None]:
    """One more checkpoint of the root log."""

    def publish() -> None:
        record(city, 1)
        Publisher(database, log_keys).publish()

    return publish


def test_openssl_verifies_what_is_served_over_the_note_as_the_log_signed_it(
    database, log_keys, city, record, authority, address
) -> None:
    record(city, 3)
    Publisher(database, log_keys, [TimestampAuthority(database, address).ask]).publish()
    root = PublishedLog(database, ROOT_LOG)
    size, response = root.timestamp()
    note = root.at(size).note
    assert authority.verify(response, note.encode())
    assert not authority.verify(response, note.replace("1", "2", 1).encode())
    assert root.timestamp(size) == (size, response)
    with pytest.raises(NotInLog):
        root.timestamp(size + 1)
    with pytest.raises(NotInLog):
        PublishedLog(database, city).timestamp()


def test_an_authority_is_asked_at_most_once_an_hour_and_never_twice_about_one_checkpoint(
    database, grow, superuser, authority, address
) -> None:
    ask = TimestampAuthority(database, address).ask
    ask()
    assert authority.asked == 0, "nothing is published yet"
    grow()
    ask()
    ask()
    assert authority.asked == 1
    grow()
    ask()
    assert authority.asked == 1, "within the hour"
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("UPDATE checkpoint_timestamp SET at = at - %s", (timedelta(minutes=61),))
    ask()
    assert authority.asked == 2
    assert PublishedLog(database, ROOT_LOG).timestamp()[0] == 2
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("UPDATE checkpoint_timestamp SET at = at - %s", (timedelta(minutes=61),))
    ask()
    assert authority.asked == 2, "the latest checkpoint has its timestamp"


def test_no_timestamp_of_something_else_is_kept(answering, database, grow, authority, tmp_path, caplog) -> None:
    """An old answer, one over other data, one without our nonce, a refusal, an error and bytes of no meaning."""
    other = tmp_path / "other"
    other.write_text("something else")
    openssl("ts", "-query", "-data", other, "-sha256", "-cert", "-out", tmp_path / "other.tsq")
    over_other_data = authority.stamp((tmp_path / "other.tsq").read_bytes())
    answers: dict[str, tuple[int, bytes]] = {
        "over other data": (200, over_other_data),
        "an error": (500, over_other_data),
        "a page": (200, b"<html></html>"),
        "nothing": (200, b""),
        "what is too long": (200, over_other_data + bytes(200_000)),
        "a refusal": (200, refusal(authority)),
    }
    told: tuple[int, bytes] = (200, b"")

    def respond(_: str, body: bytes) -> tuple[int, str, bytes]:
        return told[0], "application/timestamp-reply", told[1]

    grow()
    with answering(respond) as address, caplog.at_level(logging.WARNING):
        for name, answer in answers.items():
            told = answer
            caplog.clear()
            ask = TimestampAuthority(database, address).ask
            ask()
            ask()
            assert caplog.text.count("the timestamp authority gave no timestamp") == 1, f"{name}: said once"
        told = (200, without_nonce(database, authority, tmp_path))
        caplog.clear()
        TimestampAuthority(database, address).ask()
        assert "it stamped something else" in caplog.text, "over the right data, but not in answer to us"
    with pytest.raises(NotInLog):
        PublishedLog(database, ROOT_LOG).timestamp()


def refusal(authority: Authority) -> bytes:
    """What openssl answers to a query that it cannot read: a TimeStampResp with status rejection and no token."""
    return authority.stamp(b"rubbish")


def without_nonce(database, authority: Authority, folder: Path) -> bytes:
    root = PublishedLog(database, ROOT_LOG)
    published = root.checkpoint()
    assert published is not None
    (folder / "note").write_text(published.note, encoding="utf-8")
    openssl("ts", "-query", "-data", folder / "note", "-sha256", "-cert", "-no_nonce", "-out", folder / "note.tsq")
    return authority.stamp((folder / "note.tsq").read_bytes())


def test_no_answer_with_changed_bytes_stops_the_publisher(answering, database, grow, authority, tmp_path) -> None:
    """It is kept or not; whether its signature is right is for those who know the authority's certificate."""
    chosen = random.Random(3161)
    grow()
    right = without_nonce(database, authority, tmp_path)

    def respond(*_: object) -> tuple[int, str, bytes]:
        changed = bytearray(right[: chosen.choice([len(right), chosen.randrange(len(right))])])
        for _ in range(chosen.randrange(1, 4)):
            at = chosen.randrange(min(len(changed), 250) or 1)
            changed[at : at + 1] = chosen.randbytes(1)
        return 200, "application/timestamp-reply", bytes(changed)

    with answering(respond) as address, outside._posting() as post:
        for _ in range(150):
            with pytest.raises(outside._Refused):
                outside._timestamp(post, address, b"text")


def test_an_authority_that_is_down_or_silent_costs_no_checkpoint(
    database, log_keys, city, record, monkeypatch, caplog
) -> None:
    import socket

    monkeypatch.setattr(outside, "_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for address in (
            "http://127.0.0.1:1/",
            f"http://127.0.0.1:{silent.getsockname()[1]}/",
            "http://127.0.0.1:99999/",
        ):
            caplog.clear()
            publisher = Publisher(database, log_keys, [TimestampAuthority(database, address).ask])
            record(city, 1)
            with caplog.at_level(logging.WARNING):
                assert publisher.publish() == 2
                publisher.publish()
            assert caplog.text.count("the timestamp authority gave no timestamp") == 1
    with pytest.raises(NotInLog):
        PublishedLog(database, ROOT_LOG).timestamp()
