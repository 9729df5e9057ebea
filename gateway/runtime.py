"""What every command of the CLI stands on: the database (private or given), its logins, and the keys of the cities."""

from __future__ import annotations

import hmac
import logging
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.settings import Settings
from projections.rebuild import is_current, rebuild
from tenants.city_keys import CityKeys
from tenants.custody_journal import NAME, Journal, still_standing
from tenants.database import Database, Urls
from tenants.embedded import EmbeddedPostgres
from tenants.ledger.keys import LogKeys
from tenants.ledger.outside import TimestampAuthority, Witnesses
from tenants.ledger.policy import Policy, PolicyWrong
from tenants.ledger.publish import Publisher, make_missing_keys
from tenants.migrate import migrate, pending
from tenants.registry import tenants

Say = Callable[[str], None]

logger = logging.getLogger("kyodo")


class NotReady(Exception):
    """The database is not at the state that this release needs; run: kyodo migrate."""


@dataclass(frozen=True, slots=True)
class Service:
    """An open installation."""

    settings: Settings
    owner_url: str
    urls: Urls
    database: Database
    keys: CityKeys
    embedded: EmbeddedPostgres | None

    @property
    def keys_folder(self) -> Path:
        """Where the cities' keys are."""
        return self.keys.folder

    @property
    def journal(self) -> Journal:
        """What was withdrawn, erased or disposed of, kept outside the database."""
        return Journal(self.settings.data_dir / NAME)

    @property
    def log_keys(self) -> LogKeys:
        """The keys that sign the logs."""
        return LogKeys(self.keys.folder / "log")

    def make_log_keys(self) -> list[str]:
        """Give every log that was never signed its key; returns the origins of those made."""
        cities = {city.tenant_id: city.slug for city in tenants(self.database)}
        return make_missing_keys(self.database, self.log_keys, self.settings.log_origin, cities)

    def policy(self) -> Policy:
        """The witnesses that the settings name; PolicyWrong where their file cannot be read."""
        path = self.settings.witness_policy
        if path is None:
            return Policy()
        try:
            return Policy.of(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as unreadable:
            raise PolicyWrong(f"KYODO_WITNESS_POLICY names {path}: {unreadable}") from unreadable

    def publisher(self) -> Publisher:
        """What signs checkpoints, and asks witnesses and a timestamp authority where the settings name them."""
        outside: list[Callable[[], None]] = []
        if witnesses := self.policy().witnesses:
            outside.append(Witnesses(self.database, witnesses).ask)
        if self.settings.timestamp_url:
            outside.append(TimestampAuthority(self.database, self.settings.timestamp_url).ask)
        return Publisher(self.database, self.log_keys, outside)

    def bring_up(self, say: Say) -> list[str]:
        """Apply pending migrations and build the read models where they are missing or of another release."""
        applied = migrate(self.owner_url, say, self._password_for)
        if not is_current(self.owner_url):
            say("building the read models")
            rebuild(self.owner_url, self.keys_folder, say=logger.debug)
        return applied

    def pending(self) -> list[str]:
        """The migrations still to be applied, read models of another release among them."""
        waiting = pending(self.owner_url)
        return waiting or ([] if is_current(self.owner_url) else ["read models"])

    def require_ready(self) -> None:
        """Refuse to work on a database of another state, and with logins that row security would not bind."""
        if waiting := self.pending():
            raise NotReady(f"pending: {', '.join(waiting)}. {NotReady.__doc__}")
        if back := still_standing(self.owner_url, self.journal):
            raise NotReady(f"taken away once, and back with a restored backup: {'; '.join(back)}. Run: kyodo restore")
        self.database.check_least_privilege()

    def _password_for(self, login: str) -> str | None:
        return None if self.embedded is not None else _password(self.settings.data_dir, login)


@contextmanager
def service(settings: Settings, say: Say) -> Iterator[Service]:
    """The installation that the settings describe, its private PostgreSQL started where no database URL is set."""
    embedded = None if settings.database_url else EmbeddedPostgres(settings.data_dir, say)
    if embedded is None:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        if embedded is not None:
            owner_url = embedded.start()
            urls = Urls.derive(owner_url)
        else:
            owner_url = settings.database_url.get_secret_value() if settings.database_url else ""
            urls = Urls.derive(owner_url, lambda login: _password(settings.data_dir, login))
        given = {
            role: secret.get_secret_value()
            for role in ("app", "projector", "reader", "auditor")
            if (secret := getattr(settings, f"{role}_database_url")) is not None
        }
        urls = replace(urls, **given)
        database = Database(urls)
        try:
            yield Service(settings, owner_url, urls, database, CityKeys(settings.data_dir / "keys"), embedded)
        finally:
            database.close()
    finally:
        if embedded is not None:
            embedded.release()


def _password(data_dir: Path, login: str) -> str:
    """The password of one of the service's own logins: derived from a secret file in the data folder, never stored."""
    path = data_dir / "logins.key"
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
        except FileExistsError:
            pass
        secret = path.read_bytes()
    return urlsafe_b64encode(hmac.digest(secret, login.encode(), "sha256")).decode().rstrip("=")
