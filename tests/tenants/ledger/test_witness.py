"""Witnesses: one that keeps to C2SP tlog-witness, written from its text alone, and others that keep to nothing.

The witness has its own notes, its own files and its own check of consistency: it shares no code with the product.
"""

from __future__ import annotations

import logging
import re
import shutil
import socket
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tenants.database import Database
from tenants.event_store import TenantRecorder
from tenants.ledger import outside
from tenants.ledger.keys import LogKeys
from tenants.ledger.merkle import Frontier, leaf_hash
from tenants.ledger.note import Verifier, opened
from tenants.ledger.outside import Witnesses
from tenants.ledger.policy import Policy
from tenants.ledger.publish import Publisher
from tenants.ledger.store import ROOT_LOG, PublishedLog

Answer = tuple[int, str, bytes]
"""Status, content type and body, as the fixture `answering` gives them out."""


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def is_consistent(first: int, second: int, first_hash: bytes, second_hash: bytes, path: list[bytes]) -> bool:
    """RFC 9162 §2.1.4.2, step by step."""
    if first == second:
        return not path and first_hash == second_hash
    if not path:
        return False
    if first & (first - 1) == 0:
        path = [first_hash, *path]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == first_hash and sr == second_hash and sn == 0


class Witness:
    """Keeps the latest checkpoint of each log that it knows in a file, and signs what follows from it."""

    def __init__(self, folder: Path, name: str = "witness.example/w1") -> None:
        folder.mkdir()
        self.folder, self.name = folder, name
        self.private = Ed25519PrivateKey.generate()
        public = b"\x04" + self.private.public_key().public_bytes_raw()
        self.id = sha256(name.encode() + b"\n" + public).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{b64encode(public).decode()}"
        self.logs: dict[str, list[tuple[str, bytes, bytes]]] = {}
        self.asked: list[tuple[int, int]] = []
        self.turn = threading.Lock()

    def trust(self, vkey: str) -> None:
        name, identity, key = vkey.split("+", 2)
        self.logs.setdefault(name, []).append((name, bytes.fromhex(identity), b64decode(key)[1:]))

    def latest(self, origin: str) -> tuple[int, bytes]:
        file = self.folder / sha256(origin.encode()).hexdigest()
        if not file.exists():
            return 0, b""
        size, root = file.read_text().split()
        return int(size), bytes.fromhex(root)

    def forget(self) -> None:
        for file in self.folder.iterdir():
            file.unlink()

    def add_checkpoint(self, body: bytes) -> Answer:
        request = re.fullmatch(r"old (0|[1-9][0-9]*)\n((?:[A-Za-z0-9+/=]+\n){0,63})\n(.*)", body.decode(), re.DOTALL)
        if request is None or "\n\n" not in request[3]:
            return 400, "text/plain", b"malformed\n"
        old, path = int(request[1]), [b64decode(line) for line in request[2].split()]
        text, lines = request[3].rsplit("\n\n", 1)
        text += "\n"
        origin, size = text.split("\n")[0], int(text.split("\n")[1])
        if origin not in self.logs:
            return 404, "text/plain", b"unknown log\n"
        if not self.is_signed(text, lines, self.logs[origin]):
            return 403, "text/plain", b"not signed by the log\n"
        if old > size:
            return 400, "text/plain", b"the old size is the larger one\n"
        return self.advance(text, origin, old, path)

    def advance(self, text: str, origin: str, old: int, path: list[bytes]) -> Answer:
        """Check and store in one turn, and store before answering."""
        _, size_line, root_line = text.split("\n")[:3]
        size, root = int(size_line), b64decode(root_line)
        with self.turn:
            known, known_root = self.latest(origin)
            self.asked.append((old, size))
            if old != known:
                return 409, "text/x.tlog.size", f"{known}\n".encode()
            if path if old == 0 else not is_consistent(old, size, known_root, root, path):
                return 422, "text/plain", b"not consistent\n"
            (self.folder / sha256(origin.encode()).hexdigest()).write_text(f"{size} {root.hex()}")
        return 200, "text/plain", self.cosignature(text).encode()

    @staticmethod
    def is_signed(text: str, lines: str, trusted: list[tuple[str, bytes, bytes]]) -> bool:
        verified = False
        for line in lines.removesuffix("\n").split("\n"):
            _, name, encoded = line.split(" ")
            for known, identity, key in trusted:
                if (name, b64decode(encoded)[:4]) != (known, identity):
                    continue
                try:
                    Ed25519PublicKey.from_public_bytes(key).verify(b64decode(encoded)[4:], text.encode())
                except InvalidSignature:
                    return False
                verified = True
        return verified

    def cosignature(self, text: str) -> str:
        now = int(time.time())
        signature = self.private.sign(f"cosignature/v1\ntime {now}\n{text}".encode())
        return f"— {self.name} {b64encode(self.id + now.to_bytes(8, 'big') + signature).decode()}\n"


def route(witness: Witness) -> Callable[[str, bytes], Answer]:
    def respond(path: str, body: bytes) -> Answer:
        return witness.add_checkpoint(body) if path == "/w1/add-checkpoint" else (404, "text/plain", b"")

    return respond


@pytest.fixture
def witness(tmp_path: Path, log_keys: LogKeys, city: UUID) -> Witness:
    """A witness that knows the city's log and the root log."""
    made = Witness(tmp_path / "witness")
    for log in (city, ROOT_LOG):
        made.trust(log_keys.signers(log)[0].verifier.vkey)
    return made


@pytest.fixture
def at(answering, witness: Witness) -> Iterator[str]:
    """Where it takes checkpoints."""
    with answering(route(witness)) as address:
        yield f"{address}/w1"


def policy_of(vkey: str, address: str) -> Policy:
    return Policy.of(f"witness w {vkey} {address}/\nquorum w\n")


@pytest.fixture
def policy(witness: Witness, at: str) -> Policy:
    return policy_of(witness.vkey, at)


@pytest.fixture
def publisher(database: Database, log_keys: LogKeys, policy: Policy) -> Publisher:
    return Publisher(database, log_keys, [Witnesses(database, policy.witnesses).ask])


def cosigners(database: Database, log: UUID, policy: Policy) -> list[str]:
    """The names of the witnesses on the log's latest checkpoint as it is served; each signature is verified."""
    published_log = PublishedLog(database, log)
    published = published_log.checkpoint()
    assert published is not None
    keys = [witness.key for witness in policy.witnesses]
    own = Verifier.of(published_log.keys()[-1])
    text, signed_by = opened(published_log.cosigned(published), [own, *keys])
    assert text == opened(published.note, [own])[0]
    assert policy.satisfied(set(signed_by)) == bool(set(signed_by) & set(keys)), "one witness is the quorum"
    return [key.name for key in signed_by if key in keys]


def test_a_witness_cosigns_the_city_and_the_root_log_and_again_after_growth(
    database, city, record, witness, policy, publisher
) -> None:
    for size in (1, 2, 7, 300):
        record(city, size)
        publisher.publish()
        for log in (city, ROOT_LOG):
            assert cosigners(database, log, policy) == [witness.name]
    assert witness.latest("example.jp/log/kaku-cho")[0] == 310
    of_city, of_root = [(0, 1), (1, 3), (3, 10), (10, 310)], [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert sorted(witness.asked) == sorted(of_city + of_root), "each with the size that it saw last"
    asked = len(witness.asked)
    publisher.publish()
    assert len(witness.asked) == asked, "what is signed is not asked for again"


def test_a_witness_that_lost_its_files_is_asked_from_the_beginning(
    database, city, record, witness, policy, publisher
) -> None:
    record(city, 3)
    publisher.publish()
    witness.forget()
    record(city, 3)
    publisher.publish()
    assert (0, 6) in witness.asked
    assert cosigners(database, city, policy) == cosigners(database, ROOT_LOG, policy) == [witness.name]


def test_a_witness_that_saw_more_than_we_know_is_asked_from_there(
    database, log_keys, city, record, witness, at, policy, publisher
) -> None:
    """As after a crash between the witness's answer and its storing."""
    record(city, 3)
    Publisher(database, log_keys).publish()
    published = PublishedLog(database, city).checkpoint()
    assert published is not None
    assert httpx.post(f"{at}/add-checkpoint", content=f"old 0\n\n{published.note}").status_code == 200
    publisher.publish()
    assert set(witness.asked) == {(0, 1), (0, 3), (3, 3)}
    assert cosigners(database, city, policy) == [witness.name], "signed again at the same size"
    record(city, 2)
    Publisher(database, log_keys).publish()
    published = PublishedLog(database, city).checkpoint()
    assert published is not None
    proof = PublishedLog(database, city).consistency(3, 5)
    lines = "".join(f"{b64encode(each).decode()}\n" for each in proof)
    assert httpx.post(f"{at}/add-checkpoint", content=f"old 3\n{lines}\n{published.note}").status_code == 200
    record(city, 4)
    publisher.publish()
    assert (3, 9) in witness.asked
    assert (5, 9) in witness.asked
    assert cosigners(database, city, policy) == [witness.name]


def test_the_witness_refuses_what_the_specification_refuses(log_keys, database, city, record, witness, at) -> None:
    """The one that watches us is watched, too: else what follows here would show nothing."""
    record(city, 3)
    Publisher(database, log_keys).publish()
    log = PublishedLog(database, city)
    first = log.at(3).note
    record(city, 4)
    Publisher(database, log_keys).publish()
    second = log.at(7).note
    proof = [b64encode(each).decode() + "\n" for each in log.consistency(3, 7)]

    def ask(content: str) -> httpx.Response:
        return httpx.post(f"{at}/add-checkpoint", content=content)

    assert ask(f"old 1\n\n{first.replace('kaku-cho', 'other')}").status_code == 404
    assert ask(f"old 0\n\n{first.replace(chr(10) + '3' + chr(10), chr(10) + '4' + chr(10))}").status_code == 403
    assert ask(f"old 9\n\n{first}").status_code == 400
    assert ask(f"old 0\n{proof[0]}\n{first}").status_code == 422
    assert ask(f"old 0\n\n{first}").status_code == 200
    answer = ask(f"old 0\n\n{second}")
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (409, "text/x.tlog.size", "3\n")
    assert ask(f"old 3\n\n{second}").status_code == 422
    assert ask(f"old 3\n{''.join(reversed(proof))}\n{second}").status_code == 422
    assert ask(f"old 3\n{''.join(proof)}\n{second}").status_code == 200


def tamper(superuser: str, database: Database, log_keys: LogKeys, city: UUID) -> None:
    """Whoever owns the database and the keys rewrites position 2 and everything that tells of it."""
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("UPDATE event SET actor = 'A/other' WHERE position = 2")
        connection.execute("UPDATE event e SET leaf = leaf_hash(event_entry(e))")
        for table in ("checkpoint", "cosignature", "root_entry", "tree_node"):
            connection.execute(f"DELETE FROM {table}")
    log = PublishedLog(database, city)
    tree = Frontier()
    for position in range(1, TenantRecorder(database, city).head().size + 1):
        tree = tree.append(leaf_hash(log.entry(position)))
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("UPDATE tenant_head SET root = %s, frontier = %s", (tree.root(), list(tree.hashes)))
    for state in log_keys.folder.glob("*/signed.json"):
        state.unlink()


def test_a_forked_log_gets_no_cosignature(
    database, log_keys, city, record, superuser, witness, policy, publisher, caplog
) -> None:
    record(city, 4)
    publisher.publish()
    assert cosigners(database, city, policy) == [witness.name]
    tamper(superuser, database, log_keys, city)
    with caplog.at_level(logging.WARNING):
        assert publisher.publish() == 2, "the operator's own machine signs what it is given"
        assert cosigners(database, city, policy) == []
        for _ in range(2):
            record(city, 3)
            publisher.publish()
            assert cosigners(database, city, policy) == []
    assert witness.latest("example.jp/log/kaku-cho")[0] == 4
    assert "it answers 422" in caplog.text


def test_a_log_that_went_back_gets_no_cosignature(
    database, log_keys, city, record, superuser, witness, policy, publisher, caplog
) -> None:
    record(city, 4)
    publisher.publish()
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("DELETE FROM event WHERE position > 2")
        connection.execute("UPDATE tenant_head SET size = 2")
    tamper(superuser, database, log_keys, city)
    with caplog.at_level(logging.WARNING):
        publisher.publish()
    assert cosigners(database, city, policy) == []
    assert "it has seen 4 entries" in caplog.text


def test_a_log_with_a_hole_gets_no_cosignature_and_holds_up_no_other(
    database, city, record, superuser, witness, policy, publisher, caplog
) -> None:
    record(city, 300)
    publisher.publish()
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("DELETE FROM event WHERE position = 260")
    record(city, 10)
    with caplog.at_level(logging.WARNING):
        assert publisher.publish() == 2
    assert "position 260 is missing" in caplog.text
    assert cosigners(database, city, policy) == []
    assert cosigners(database, ROOT_LOG, policy) == [witness.name]


def test_a_witness_that_knows_only_the_retired_key_stays_silent(
    database, log_keys, city, record, witness, policy, publisher, caplog
) -> None:
    record(city, 1)
    publisher.publish()
    log_keys.rotate(city)
    record(city, 1)
    publisher.publish()
    assert cosigners(database, city, policy) == [witness.name], "both keys sign, one of them is known"
    log_keys.retire(city)
    record(city, 1)
    with caplog.at_level(logging.WARNING):
        publisher.publish()
    assert cosigners(database, city, policy) == []
    assert "it answers 403" in caplog.text
    witness.trust(log_keys.signers(city)[-1].verifier.vkey)
    publisher.publish()
    assert cosigners(database, city, policy) == [witness.name]


def test_a_log_that_the_witness_does_not_know_holds_up_no_other(
    database, city, record, witness, policy, publisher, caplog
) -> None:
    del witness.logs["example.jp/log/root"]
    record(city, 1)
    with caplog.at_level(logging.WARNING):
        publisher.publish()
    assert cosigners(database, city, policy) == [witness.name]
    assert cosigners(database, ROOT_LOG, policy) == []
    assert f"does not sign log {ROOT_LOG} at size 1: it answers 404" in caplog.text


def text_of(body: bytes) -> str:
    return body.decode().split("\n\n", 1)[1].rsplit("\n\n", 1)[0] + "\n"


def another_key(witness: Witness, body: bytes) -> bytes:
    other = Witness(witness.folder / "other", witness.name)
    shutil.rmtree(other.folder)
    return other.cosignature(text_of(body)).encode()


def with_another_key(witness: Witness, body: bytes) -> bytes:
    """The name and ID of the witness, and somebody else's signature."""
    other = Witness(witness.folder / "other", witness.name)
    shutil.rmtree(other.folder)
    other.id = witness.id
    return other.cosignature(text_of(body)).encode()


FAULTS: dict[str, Callable[[Witness, bytes], Answer]] = {
    "404": lambda *_: (404, "text/plain", b""),
    "500": lambda *_: (500, "text/html", b"<h1>oh</h1>"),
    "a redirection": lambda *_: (307, "text/plain", b""),
    "200 and nothing": lambda *_: (200, "text/plain", b""),
    "rubbish": lambda *_: (200, "text/plain", b"\xff\xfe\x00rubbish\n\n"),
    "a page": lambda *_: (200, "text/html", "<p>協働</p>".encode()),
    "what is too long": lambda *_: (200, "text/plain", b"x" * 200_000),
    "a note": lambda *asked: (200, "text/plain", asked[1]),
    "a signature of another key": lambda witness, body: (200, "text/plain", another_key(witness, body)),
    "a wrong signature under its own name": lambda witness, body: (200, "text/plain", with_another_key(witness, body)),
    "a signature of another checkpoint": lambda witness, *_: (200, "text/plain", witness.cosignature("no\n").encode()),
    "a signature without its end": lambda witness, body: (
        200,
        "text/plain",
        witness.cosignature(text_of(body)).encode()[:-9],
    ),
    "409 and no size": lambda *_: (409, "text/x.tlog.size", b"some\n"),
    "409 and half a digit": lambda *_: (409, "text/x.tlog.size", "²\n".encode()),
    "409 and a size beyond all": lambda *_: (409, "text/x.tlog.size", b"9" * 5_000 + b"\n"),
    "409 and a size that is too large": lambda *_: (409, "text/x.tlog.size", b"99\n"),
    "409 and a size below zero": lambda *_: (409, "text/x.tlog.size", b"-1\n"),
    "409 for ever": lambda *_: (409, "text/x.tlog.size", b"1\n"),
}


def test_a_witness_that_answers_wrongly_is_warned_of_once_and_asked_again(
    answering, database, log_keys, city, record, witness, caplog
) -> None:
    fault: Callable[[Witness, bytes], Answer] | None = None

    def respond(path: str, body: bytes) -> Answer:
        return fault(witness, body) if fault else route(witness)(path, body)

    with answering(respond) as address, caplog.at_level(logging.WARNING):
        policy = policy_of(witness.vkey, f"{address}/w1")
        publisher = Publisher(database, log_keys, [Witnesses(database, policy.witnesses).ask])
        for name, each in FAULTS.items():
            fault = each
            caplog.clear()
            record(city, 2)
            assert publisher.publish() == 2
            said = len(caplog.records)
            assert 1 <= said <= 2, f"{name}: at most once for each log"
            assert "witness w " in caplog.text
            assert all(len(entry.getMessage()) < 400 for entry in caplog.records)
            publisher.publish()
            assert len(caplog.records) == said, name
            assert cosigners(database, city, policy) == cosigners(database, ROOT_LOG, policy) == [], name
            fault = None
            publisher.publish()
            assert cosigners(database, city, policy) == cosigners(database, ROOT_LOG, policy) == [witness.name], name


def test_other_signatures_beside_the_right_one_are_passed_over(
    answering, database, log_keys, city, record, witness
) -> None:
    def respond(path: str, body: bytes) -> Answer:
        status, kind, answer = witness.add_checkpoint(body)
        post_quantum = f"— {witness.name} {b64encode(bytes(2_432)).decode()}\n".encode()
        return status, kind, post_quantum + another_key(witness, body) + answer

    with answering(respond) as address:
        policy = policy_of(witness.vkey, address)
        record(city, 1)
        Publisher(database, log_keys, [Witnesses(database, policy.witnesses).ask]).publish()
    assert cosigners(database, city, policy) == [witness.name]
    published_log = PublishedLog(database, city)
    note = published_log.cosigned(published_log.at(1))
    assert note.count("— ") == 2, "only the cosignature that the policy asks for is served"


@contextmanager
def trickling(head: bytes, rest: bytes) -> Iterator[str]:
    """A server that answers with `head` and then with `rest`, one byte at a time, for ever."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def trickle(connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(head)
                while not over.wait(0.05):
                    connection.sendall(rest)
            except OSError:
                pass  # The other side had enough.

    def serve() -> None:
        with ExitStack() as threads:
            while True:
                connection, _ = listener.accept()
                if over.is_set():
                    connection.close()
                    return
                thread = threading.Thread(target=trickle, args=(connection,))
                thread.start()
                threads.callback(thread.join)

    server = threading.Thread(target=serve)
    server.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        socket.create_connection(listener.getsockname()).close()
        server.join()
        listener.close()


TRICKLES = {
    "silence": (b"", b""),
    "slow head": (b"HTTP/1.1 200 OK\r\nX: ", b"a"),
    "slow body": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"a"),
    "endless body": (b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 60_000),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", b"a"),
    "contradictory head": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", b"a"),
}


def test_a_witness_that_holds_the_line_is_left_and_the_next_one_asked(
    database, log_keys, city, record, witness, at, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(outside, "_SECONDS", 0.4)
    stranger = Witness(witness.folder / "stranger", "witness.example/slow")
    for name, (head, rest) in TRICKLES.items():
        caplog.clear()
        with trickling(head, rest) as address, caplog.at_level(logging.WARNING):
            policy = Policy.of(
                f"witness slow {stranger.vkey} {address}\nwitness w {witness.vkey} {at}\ngroup g any slow w\nquorum g\n"
            )
            publisher = Publisher(database, log_keys, [Witnesses(database, policy.witnesses).ask])
            record(city, 3)
            began = time.monotonic()
            publisher.publish()
            assert time.monotonic() - began < 3, f"{name}: asked once a round, not once a log"
        assert "witness slow cannot be reached" in caplog.text, name
        assert cosigners(database, city, policy) == [witness.name], name


def test_a_slow_witness_with_many_logs_does_not_hold_up_publication(
    answering, database, tenant, log_keys, city, record, witness, monkeypatch
) -> None:
    monkeypatch.setattr(outside, "_ROUND", 0.3)

    def respond(path: str, body: bytes) -> Answer:
        time.sleep(0.2)
        return witness.add_checkpoint(body)

    with answering(respond) as address:
        policy = policy_of(witness.vkey, address)
        others = [tenant(f"town-{number}") for number in range(4)]
        for number, other in enumerate(others):
            log_keys.create(other, f"example.jp/log/town-{number}")
            witness.trust(log_keys.signers(other)[0].verifier.vkey)
        for log in (city, *others):
            record(log, 1)
        publisher = Publisher(database, log_keys, [Witnesses(database, policy.witnesses).ask])
        began = time.monotonic()
        publisher.publish()
        assert time.monotonic() - began < 0.9, "six logs would take longer"
        for _ in range(3):
            publisher.publish()
    assert all(cosigners(database, log, policy) for log in (city, *others, ROOT_LOG)), "the rest in the next rounds"


def test_a_witness_that_is_down_costs_no_checkpoint(database, log_keys, city, record, witness, caplog) -> None:
    for address in ("http://127.0.0.1:1", "http://nowhere.invalid", "https://xn--.example"):
        caplog.clear()
        policy = policy_of(witness.vkey, address)
        publisher = Publisher(database, log_keys, [Witnesses(database, policy.witnesses).ask])
        record(city, 1)
        with caplog.at_level(logging.WARNING):
            assert publisher.publish() == 2
            publisher.publish()
        assert caplog.text.count("witness w cannot be reached") == 1
        assert cosigners(database, city, policy) == []


def test_a_witness_that_comes_back_signs_what_it_missed(answering, database, log_keys, city, record, witness) -> None:
    with answering(route(witness)) as address:
        policy = policy_of(witness.vkey, f"{address}/w1")
        publisher = Publisher(database, log_keys, [Witnesses(database, policy.witnesses).ask])
        record(city, 2)
        publisher.publish()
    record(city, 2)
    publisher.publish()
    assert cosigners(database, city, policy) == []
    with answering(route(witness), int(address.rsplit(":", 1)[1])):
        publisher.publish()
    assert (2, 4) in witness.asked
    assert cosigners(database, city, policy) == [witness.name]


def test_a_witness_without_an_address_is_not_asked(database, log_keys, city, record, witness) -> None:
    policy = Policy.of(f"witness w {witness.vkey}\nquorum w\n")
    record(city, 1)
    Publisher(database, log_keys, [Witnesses(database, policy.witnesses).ask]).publish()
    assert cosigners(database, city, policy) == []
