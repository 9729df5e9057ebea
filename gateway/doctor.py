"""`kyodo doctor`: what an operator would check by hand, each with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.runtime import Service
from projections.rebuild import is_current
from projections.worker import lags
from tenants.city_keys import KeyUnusable
from tenants.database import DatabaseUnavailable, TooMuchPrivilege, describe
from tenants.key_files import KeyExposed
from tenants.ledger.keys import LogKeyMissing, SignedTreeUnreadable
from tenants.ledger.note import NoteWrong
from tenants.ledger.publish import standing
from tenants.ledger.store import ROOT_NAME
from tenants.migrate import pending
from tenants.registry import tenants


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    good: bool
    text: str


def examine(service: Service) -> Iterator[Finding]:
    """Findings from the ground up; stops where the next question would make no sense."""
    yield Finding(good=True, text=f"data folder {service.settings.data_dir}")
    yield Finding(good=True, text=f"owner login: {describe(service.owner_url)}")
    waiting = pending(service.owner_url)
    if waiting:
        yield Finding(good=False, text=f"migrations pending: {', '.join(waiting)}; run: kyodo migrate")
        return
    yield Finding(good=True, text="every migration is applied")
    if not is_current(service.owner_url):
        yield Finding(good=False, text="the read models are missing or of another release; run: kyodo migrate")
        return
    yield Finding(good=True, text="the read models are of this release")
    try:
        service.database.check_least_privilege()
    except (TooMuchPrivilege, DatabaseUnavailable) as refused:
        yield Finding(good=False, text=str(refused))
        return
    yield Finding(good=True, text="the service's logins are bound by row security and cannot change events")
    yield from _durability(service)
    yield from _cities(service)
    yield from _logs(service)


def _durability(service: Service) -> Iterator[Finding]:
    with service.database.app() as connection:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            value = row[0] if row else "unknown"
            good = value not in {"off", "unknown"}
            remedy = "" if good else ": an acknowledged event could be lost in a power failure; turn it on"
            yield Finding(good=good, text=f"{name} is {value}{remedy}")


def _cities(service: Service) -> Iterator[Finding]:
    behind = {lag.tenant: lag for lag in lags(service.database)}
    for city in tenants(service.database):
        lag = behind[city.tenant_id]
        if lag.error:
            stopped = f"{city.slug}: projection stopped: {lag.error}; mend it, then run: kyodo rebuild"
            yield Finding(good=False, text=stopped)
        elif lag.behind:
            behind_by = f"{city.slug}: {lag.behind} of {lag.size} events are not projected; run: kyodo worker"
            yield Finding(good=False, text=behind_by)
        else:
            yield Finding(good=True, text=f"{city.slug}: {lag.size} events, all projected")
        try:
            service.keys.check(city.tenant_id)
        except KeyUnusable as unusable:
            yield Finding(good=False, text=f"{city.slug}: {unusable}")


def _logs(service: Service) -> Iterator[Finding]:
    """Whether every log can be signed here, and follows from what was signed here before."""
    if not service.policy().witnesses:
        yield Finding(good=True, text="no outside witness is set (KYODO_WITNESS_POLICY); pages and verifier say so")
    slugs = {city.tenant_id: city.slug for city in tenants(service.database)}
    for log, size, published in standing(service.database):
        name = slugs.get(log, ROOT_NAME)
        try:
            service.log_keys.signers(log)
            signed = service.log_keys.signed(log)
        except (LogKeyMissing, KeyExposed, NoteWrong, SignedTreeUnreadable) as unusable:
            yield Finding(good=False, text=f"log {name}: {unusable}")
            continue
        if signed is not None and signed.size > size:
            gone = f"positions {size + 1} to {signed.size} were signed and are missing"
            yield Finding(good=False, text=f"log {name}: {gone}; bring them back from a later copy before going on")
            continue
        covered = "all" if published == size else f"{published} of them"
        remedy = "" if published == size else "; run: kyodo worker"
        text = f"log {name}: {size} entries, {covered} covered by a signed checkpoint{remedy}"
        yield Finding(good=published == size, text=text)
