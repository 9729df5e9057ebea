"""The anomalies of a city's record, each with the reason why its rule was broken, by the rules of its date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.commands import BY_EVENT, initial_state
from domain.decider import judged_again
from domain.event import Context
from domain.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

    from domain.history import Recorded
    from tenants.book import Book


@dataclass(frozen=True, slots=True)
class Explained:
    """One rule that one event breaks; `why` in English and Japanese, and what the record itself says of its grounds."""

    stream: UUID
    version: int
    position: int
    event: str
    label: str
    valid: str
    source: str | None
    programme: str | None
    rule: str
    why: str
    why_ja: str
    inferred_from: str | None


def anomalies(book: Book, streams: Iterable[UUID], texts: Mapping[str, str]) -> Iterator[Explained]:
    """Explain the anomalies of the streams, in the order of their stories; `texts` are those that may be read."""
    plan = book.plan()
    for stream in streams:
        history = plan.history(stream)
        if history is None:
            continue
        context = Context(rules=Rules(), import_window=True, rules_of=plan.rules_of)
        for entry, broken in judged_again(history.entries, initial_state(history.recorded[0].name), context):
            found = {violation.code: violation for violation in broken}
            for rule in entry.event.breaks:
                violation = found.get(rule)
                why = violation.message("en") if violation else "its date does not agree with the dates around it"
                why_ja = violation.message("ja") if violation else "前後の出来事の日付と合わない"
                yield _explained(entry, rule, why, why_ja, texts)


def _explained(entry: Recorded, rule: str, why: str, why_ja: str, texts: Mapping[str, str]) -> Explained:
    known = BY_EVENT[entry.name]
    return Explained(
        stream=entry.stream,
        version=entry.version,
        position=entry.position,
        event=entry.name,
        label=known.ja,
        valid=entry.event.valid.edtf,
        source=entry.event.valid.source,
        programme=entry.meta.programme,
        rule=rule,
        why=why,
        why_ja=why_ja,
        inferred_from=texts.get(entry.event.valid.inferred_from or ""),
    )
