"""Logs made by hand in the C2SP layout: entries, tiles, checkpoints, proofs, a root log, archives, and a server.

Nothing here is the product's: keys are of `cryptography`, trees are RFC 6962 §2.1 written out.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import shutil
import tarfile
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TENANT = str(UUID(int=7))


def digest(text: str) -> str:
    return urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()


def disclosure(position: int, name: str = "title_ja", value: str = "子育てひろば") -> str:
    salted = json.dumps([f"salt{position}", name, value], ensure_ascii=False)
    return urlsafe_b64encode(salted.encode()).rstrip(b"=").decode()


def event(position: int, /, **changed: Any) -> dict[str, Any]:
    """The entry at a position, one of seven versions of its stream, with a title that disclosure() opens."""
    return {
        "actor": "C/planning",
        "approved_by": None,
        "data": {"amount": 1200000 + position, "codes": ["WELFARE"], "title_ja": digest(disclosure(position))},
        "document_ref": None,
        "mode": "LIVE",
        "position": position,
        "programme": {"id": "citizen-partnership", "version": 3},
        "recorded_at": f"2026-11-23T01:{position // 3600 % 60:02}:{position // 60 % 60:02}.{position % 60:06}Z",
        "recorded_by": "C/planning",
        "schema_version": 1,
        "signatories": [],
        "stream": str(UUID(int=(position - 1) // 7)),
        "tenant": TENANT,
        "type": "ProposalSubmitted",
        "version": (position - 1) % 7 + 1,
    } | changed


def entry(position: int, /, **changed: Any) -> bytes:
    text = json.dumps(event(position, **changed), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


@functools.cache
def entries(size: int) -> tuple[bytes, ...]:
    return tuple(entry(position) for position in range(1, size + 1))


def leaf(data: bytes) -> bytes:
    return sha256(b"\0" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """MTH (RFC 6962 §2.1)."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha256().digest()
    k = split(len(leaves))
    return node(root(leaves[:k]), root(leaves[k:]))


def split(n: int) -> int:
    return 1 << (n - 1).bit_length() - 1


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]) (RFC 6962 §2.1.1)."""
    if len(leaves) <= 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), root(leaves[k:])]
    return [*path(m - k, leaves[k:]), root(leaves[:k])]


@dataclass
class Signer:
    """An Ed25519 key with a name; kind 1 signs notes, kind 4 cosigns checkpoints."""

    name: str
    kind: int = 1
    secret: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def material(self) -> bytes:
        return bytes([self.kind]) + self.secret.public_key().public_bytes_raw()

    @property
    def id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + self.material).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(self.material).decode()}"

    def line(self, text: str, moment: int = 1_790_000_000) -> str:
        message, stamp = text, b""
        if self.kind == 4:
            message, stamp = f"cosignature/v1\ntime {moment}\n{text}", moment.to_bytes(8, "big")
        return f"— {self.name} {b64encode(self.id + stamp + self.secret.sign(message.encode())).decode()}\n"


def number_path(number: int, width: int = 256) -> str:
    groups = f"{number:06}"
    name = f"{number:03}" if number < 1000 else f"x{groups[:3]}/{groups[3:]}"
    return name if width == 256 else f"{name}.p/{width}"


@dataclass
class Log:
    """A log in a folder."""

    folder: Path
    signer: Signer

    @property
    def leaves(self) -> list[bytes]:
        return [leaf(each) for each in self.entries]

    def note(self, size: int | None = None, *, by: Sequence[Signer] = ()) -> str:
        size = len(self.entries) if size is None else size
        text = f"{self.signer.name}\n{size}\n{b64encode(root(self.leaves[:size])).decode()}\n"
        return text + "\n" + "".join(each.line(text) for each in (self.signer, *by))

    def publish(self, given: Sequence[bytes], *, by: Sequence[Signer] = ()) -> Log:
        """Write checkpoint, key, tiles and bundles of these entries, in place of what was there."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.entries = list(given)
        self.write("checkpoint", self.note(by=by))
        self.write("key", self.signer.vkey + "\n")
        hashes, level = self.leaves, 0
        while hashes:
            for number in range(-(-len(hashes) // 256)):
                tile = hashes[number * 256 : number * 256 + 256]
                self.write(f"tile/{level}/{number_path(number, len(tile))}", b"".join(tile))
            whole = range(0, len(hashes) - 255, 256)
            hashes, level = [root(hashes[at : at + 256]) for at in whole], level + 1
        for number in range(-(-len(self.entries) // 256)):
            bundle = self.entries[number * 256 : number * 256 + 256]
            data = b"".join(len(each).to_bytes(2, "big") + each for each in bundle)
            self.write(f"tile/entries/{number_path(number, len(bundle))}", data)
        return self

    def proof(self, position: int, note: str | None = None) -> str:
        lines = [b64encode(each).decode() for each in path(position - 1, self.leaves)]
        extra = b64encode(self.entries[position - 1]).decode()
        head = ["c2sp.org/tlog-proof@v1", f"extra {extra}", f"index {position - 1}", *lines]
        return "\n".join(head) + "\n\n" + (note or self.note())

    def write(self, name: str, data: str | bytes) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)
        return file

    def flip(self, name: str, at: int = -1, bit: int = 1) -> None:
        """Change one bit of a file."""
        data = bytearray((self.folder / name).read_bytes())
        data[at] ^= bit
        (self.folder / name).write_bytes(data)


def made(folder: Path, size: int, name: str = "yamato", **changed: Any) -> Log:
    return Log(folder, Signer(f"localhost/log/{name}", **changed)).publish(entries(size))


def seal(log: Log, disclosures: Sequence[dict[str, Any]] = ()) -> None:
    """Add what makes the folder an unpacked archive: disclosures, manifest, programmes and the seal."""
    log.write("disclosures/public.jsonl", "".join(json.dumps(each) + "\n" for each in disclosures))
    log.write("programmes/citizen-partnership.json", "{}\n")
    log.write("manifest.json", "{}\n")
    names = sorted(f.relative_to(log.folder).as_posix() for f in log.folder.rglob("*") if f.is_file())
    sums = [f"{sha256((log.folder / name).read_bytes()).hexdigest()}  {name}" for name in names if "SHA256" not in name]
    text = "\n".join(["kyodo archive v1", *sums]) + "\n"
    log.write("SHA256SUMS.note", text + "\n" + log.signer.line(text))


def pack(folder: Path, file: Path, extra: Sequence[tuple[str, bytes]] = ()) -> Path:
    """The folder as .tar.gz, every member a gzip member of its own, the seal last."""
    names = [f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()]
    members = [
        (name, (folder / name).read_bytes()) for name in sorted(names, key=lambda n: (n == "SHA256SUMS.note", n))
    ]
    with file.open("wb") as out:
        for name, data in (*members[:-1], *extra, *members[-1:]):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            block = io.BytesIO(info.tobuf() + data + bytes(-len(data) % 512))
            out.write(gzip.compress(block.getvalue(), 1))
        out.write(gzip.compress(bytes(1024)))
    return file


def service(folder: Path, logs: dict[str, Log], checkpoints: Sequence[tuple[str, int]]) -> Log:
    """A root log with these (name, size) checkpoints, the proofs by it, and the listing at /log."""
    notes = [logs[name].note(size) for name, size in checkpoints]
    top = Log(folder / "log/root", Signer("localhost/log/root")).publish([note.encode() for note in notes])
    for name, log in logs.items():
        last = max(at for at, (each, _) in enumerate(checkpoints, start=1) if each == name)
        log.write("root-proof", top.proof(last))
    listing = [{"name": name, "origin": log.signer.name, "key": log.signer.vkey} for name, log in logs.items()]
    (folder / "log/index.json").write_text(json.dumps({"logs": listing, "checkpoint_seconds": 10}))
    return top


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder over HTTP on a free port of loopback; `<name>.error` files hold a status, answered once each."""

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            file = folder / self.path.strip("/")
            trouble = file.with_name(file.name + ".error")
            if trouble.is_file():
                status, *where = trouble.read_text().split()
                trouble.unlink()
                self.send_response(int(status))
                for each in where:
                    self.send_header("Location", each)
                data = b""
            elif file == folder / "log":
                self.send_response(200)
                data = (folder / "log/index.json").read_bytes()
            else:
                self.send_response(200 if file.is_file() else 404)
                data = file.read_bytes() if file.is_file() else b"nothing here"
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
