"""The settings: one frozen object, read from KYODO_* once at the door and passed in from there."""

from __future__ import annotations

import hashlib
import os
from ipaddress import ip_network
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_data_dir() -> Path:
    """Where data lies unless KYODO_DATA_DIR says otherwise.

    In a source checkout `.kyodo` beside pyproject.toml; installed, the user's data folder. Root runs PostgreSQL as
    `nobody`, who may not look into root's folders, so root's data lie under /var/lib/kyodo, one folder a checkout.
    """
    checkout = Path(__file__).resolve().parent.parent
    in_checkout = (checkout / "pyproject.toml").exists()
    if os.geteuid() == 0:
        name = f"{checkout.name}-{hashlib.sha256(str(checkout).encode()).hexdigest()[:8]}" if in_checkout else "default"
        return Path("/var/lib/kyodo") / name
    if in_checkout:
        return checkout / ".kyodo"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "kyodo"


class Settings(BaseSettings):
    """Every setting of the product; the README lists them, and a test holds the two together."""

    model_config = SettingsConfigDict(env_prefix="KYODO_", frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: SecretStr | None = Field(
        default=None,
        description="The owner's connection URL. Unset: a private PostgreSQL runs in the data folder.",
    )
    app_database_url: SecretStr | None = Field(
        default=None, description="The login of the commands. Unset: derived from KYODO_DATABASE_URL."
    )
    projector_database_url: SecretStr | None = Field(
        default=None, description="The login of the worker. Unset: derived from KYODO_DATABASE_URL."
    )
    reader_database_url: SecretStr | None = Field(
        default=None, description="The login of public reads. Unset: derived from KYODO_DATABASE_URL."
    )
    auditor_database_url: SecretStr | None = Field(
        default=None, description="The login for auditors. Unset: derived from KYODO_DATABASE_URL."
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Keys of the cities and of the database logins, and the private PostgreSQL where there is one.",
    )
    host: str = Field(default="127.0.0.1", description="The address on which pages and GraphQL are served.")
    port: int = Field(default=8000, ge=0, le=65535, description="The port; 0 takes a free one.")
    trusted_proxies: str = Field(
        default="127.0.0.1,::1",
        description="The proxies that say in X-Forwarded-For and X-Forwarded-Proto who asks: addresses or networks,"
        " with commas.",
    )
    log_origin: str = Field(
        default="localhost/log",
        pattern=r"^[^\s+]{1,200}[^\s+/]$",
        description="The name under which new logs are known: theirs is `<origin>/<city>`, for ever. Best the public"
        " address of `/log` without its scheme.",
    )
    checkpoint_seconds: float = Field(
        default=10,
        gt=0,
        le=86_400,
        description="How long a recorded event may wait for the signed checkpoint that covers it. Stated publicly.",
    )
    witness_policy: Path | None = Field(
        default=None,
        description="A file of outside witnesses and their quorum (C2SP tlog-policy). Unset: no witness.",
    )
    timestamp_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="A timestamp authority (RFC 3161) for the root log, asked at most once an hour. Unset: none.",
    )
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, given: str) -> str:
        return ",".join(str(ip_network(each.strip())) for each in given.split(","))
