"""How partnerships, programmes and their events are put before readers."""

from __future__ import annotations

from calendar import month_name
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import TYPE_CHECKING

from domain.commands import BY_EVENT
from domain.rules import Rules
from domain.vocabulary import (
    EARLY,
    ENDED,
    IN_FORCE,
    REFUSED,
    TRYING,
    UNDECIDED,
    CityRole,
    FormCode,
    LeadArea,
    Origin,
    PartyKind,
    Status,
)
from gateway.pages.readable import Line, Reader, Said, Words
from gateway.pages.words import say
from gateway.refusals import explained

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from typing import Any

    from domain.vocabulary import Labelled
    from gateway.pages.labels import Language
    from gateway.reading import City, Entry, Partnership, Party, Programme

_JAPAN = timezone(timedelta(hours=9))

_TONES = {
    "ProposalAccepted": "good",
    "InvitationAccepted": "good",
    "ProposalRejected": "bad",
    "ProposalWithdrawn": "bad",
    "InvitationDeclined": "bad",
    "AcceptanceDeclined": "bad",
    "AcceptanceRevoked": "bad",
    "DeadlineMissed": "bad",
    "AgreementTerminated": "bad",
    "AgreementLapsed": "bad",
    "AgreementConcluded": "firm",
    "AgreementAmended": "firm",
    "AgreementRenewed": "firm",
    "CouncilResolved": "firm",
    "PartnershipCompleted": "end",
    "PartnershipBecameIndependent": "end",
    "PartnershipMainstreamed": "end",
    "ConsultationClosed": "end",
    "SourceDiscrepancyNoted": "note",
    "PartyStatementFiled": "note",
    "PublicationWithdrawn": "note",
    "SubjectErased": "note",
    "CorrectionRequested": "note",
    "CorrectionDecided": "note",
    "EventCorrected": "note",
    "EventRetracted": "note",
}


@dataclass(frozen=True, slots=True)
class Told:
    """An event as its timeline shows it."""

    version: int
    type: str
    label: str
    tone: str
    when: Words
    wording: Words | None
    badge: str | None
    badge_class: str
    inferred_from: Words | None
    lines: tuple[Line, ...]
    rules: tuple[Line, ...]
    breaks: tuple[str, ...]
    corrected_by: int | None
    source: tuple[str, int] | None
    mode: str
    position: int
    recorded: str
    recorded_iso: str
    programme: Words | None
    programme_version: int | None


@dataclass(frozen=True, slots=True)
class Attended:
    """A party as the head of a partnership shows it."""

    name: Words
    facts: tuple[Words, ...]
    members: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Headed:
    """A partnership as lists and heads show it."""

    number: str
    title: Words
    translated: bool
    status: str
    status_label: str
    status_group: str
    forms: tuple[str, ...]
    submissions: int
    rejections: int
    renewals: int
    objective: Words | None
    facts: tuple[tuple[str, Words], ...]


def status_group(status: str) -> str:
    """The colour group of a status; the ways to end share one, since none of them is a score."""
    groups = {
        "early": EARLY,
        "pending": UNDECIDED,
        "trying": TRYING,
        "force": IN_FORCE,
        "refused": REFUSED,
        "ended": ENDED,
    }
    return next((name for name, members in groups.items() if status in members), "accepted")


def told(reader: Reader, entry: Entry, sources: Mapping[str, int]) -> Told:
    """An event in the reader's words. `sources` numbers the city's publications."""
    language = reader.language
    when = reader.date(entry.valid)
    badge, badge_class = _badge(entry, language)
    known = BY_EVENT[entry.type]
    rules = entry.data.get("rules")
    return Told(
        version=entry.version,
        type=entry.type,
        label=known.ja if language == "ja" else known.en,
        tone=_TONES.get(entry.type, "plain"),
        when=when,
        wording=reader.text(entry.label) if entry.label and entry.label not in {when.text, entry.valid} else None,
        badge=badge,
        badge_class=badge_class,
        inferred_from=reader.text(entry.inferred_from) if entry.inferred_from else None,
        lines=reader.event(entry.type, entry.data),
        rules=rule_lines(reader, rules) if rules else (),
        breaks=tuple(
            explained(rule, language, event=known.ja if language == "ja" else known.en, valid=when.text)
            for rule in entry.breaks
        ),
        corrected_by=entry.corrected_by,
        source=(entry.source, sources[entry.source]) if entry.source and entry.source in sources else None,
        mode=say(f"mode_{entry.mode}", language),
        position=entry.position,
        recorded=recorded(entry.recorded_at, language),
        recorded_iso=entry.recorded_at.isoformat(),
        programme=reader.programme(entry.programme) if entry.programme else None,
        programme_version=entry.programme_version,
    )


def _badge(entry: Entry, language: Language) -> tuple[str | None, str]:
    if entry.certainty == "INFERRED":
        return say("badge_inferred", language), "inferred"
    if entry.certainty == "NOT_STATED" and entry.valid != "XXXX":
        return say("badge_bounded", language), "bounded"
    return None, ""


def recorded(at: datetime, language: Language) -> str:
    """The moment of recording in Japan's time."""
    local = at.astimezone(_JAPAN)
    return say(
        "japan_time",
        language,
        year=local.year,
        month=local.month,
        day=local.day,
        month_name=month_name[local.month],
        time=f"{local:%H:%M}",
    )


def rule_lines(reader: Reader, rules: Mapping[str, Any]) -> tuple[Line, ...]:
    """A rule set in readable lines; those that were derived and not stated are marked."""
    inferred = frozenset(path for each in rules.get("inferred", ()) for path in each.get("rules", ()))
    shown = {name: value for name, value in rules.items() if name != "inferred"}
    return reader.part(Rules, Said(shown, inferred))


def rule_notes(reader: Reader, rules: Mapping[str, Any]) -> tuple[Words, ...]:
    """What the derived rules were derived from."""
    return tuple(reader.text(each["inferred_from"]) for each in rules.get("inferred", ()))


def local_labels(programmes: Iterable[Programme], language: Language) -> dict[str, str]:
    """What a city calls its codes, from the rules of its programmes: its own labels, criteria, kinds and reasons."""
    found: dict[str, str] = {}
    for programme in programmes:
        rules = programme.rules
        named = [(each["code"], each.get("local")) for each in rules.get("review", {}).get("criteria", ())]
        named += [(each["code"], each.get("local")) for each in rules.get("proposal", {}).get("local_rejections", ())]
        named += [(each["code"], each.get("text")) for each in rules.get("kinds", ())]
        for each in rules.get("labels", ()):
            own, other = (each["ja"], each.get("en")) if language == "ja" else (each.get("en"), each["ja"])
            named.append((each["code"], other if own is None else own))
        found |= {code: text for code, text in named if text is not None}
    return found


def attended(reader: Reader, party: Party) -> Attended:
    """A party in the reader's words."""
    facts = [reader.code("kind", party.kind, PartyKind)] if party.kind else []
    facts += [reader.code("roles", role) for role in party.roles]
    facts += [reader.code("invited", party.invited)] if party.invited else []
    if party.count and party.count > 1:
        facts.append(Words(say("party_count", reader.language, n=party.count)))
    return Attended(
        name=reader.party(party.party_id),
        facts=tuple(facts),
        members=tuple(reader.party(member) for member in party.members),
    )


def headed(reader: Reader, partnership: Partnership) -> Headed:
    """A partnership in the reader's words."""
    language = reader.language
    objective = reader.text(partnership.objective) if partnership.has_objective else None
    return Headed(
        number=partnership.number,
        title=title(reader, partnership.title_ja, partnership.title_en),
        translated=_shows_translation(partnership, language),
        status=partnership.status,
        status_label=Status(partnership.status).label(language),
        status_group=status_group(partnership.status),
        forms=tuple(FormCode(form).label(language) for form in partnership.forms),
        submissions=partnership.submissions,
        rejections=partnership.rejections,
        renewals=partnership.renewals,
        objective=objective,
        facts=tuple(_facts(reader, partnership, objective)),
    )


def title(reader: Reader, ja: str | None, en: str | None) -> Words:
    """The title in the reader's language, else in the other one."""
    first, second = (ja, en) if reader.language == "ja" else (en, ja)
    return reader.text(first or second)


def _shows_translation(partnership: Partnership, language: Language) -> bool:
    own = partnership.title_ja if language == "ja" else partnership.title_en
    other = "en" if language == "ja" else "ja"
    return partnership.title_translated == (language if own else other)


def _facts(reader: Reader, partnership: Partnership, objective: Words | None) -> Iterator[tuple[str, Words]]:
    language = reader.language
    codes: list[tuple[str, str | None, type[Labelled] | None]] = [
        ("kind", partnership.kind, None),
        ("field", partnership.field, None),
        ("origin", partnership.origin, Origin),
        ("city_role", partnership.city_role, CityRole),
        ("lead_area", partnership.lead_area, LeadArea if partnership.lead_area in set(LeadArea) else None),
    ]
    numbers = {
        "count_submissions": partnership.submissions,
        "count_rejections": partnership.rejections,
        "count_renewals": partnership.renewals,
    }
    counts = [say(key, language, n=n) for key, n in numbers.items() if n]
    forms = [FormCode(form).label(language) for form in partnership.forms]
    lines: list[tuple[str, Words | None]] = [
        ("objective", objective),
        ("place", reader.text(partnership.place) if partnership.has_place else None),
        *((key, reader.code(key, code, vocabulary) if code else None) for key, code, vocabulary in codes),
        ("joint", Words(say("joint_text", language)) if partnership.joint else None),
        ("forms", Words(say("comma", language).join(forms)) if forms else None),
        ("counts", Words(say("comma", language).join(counts)) if counts else None),
        ("agreed", reader.date(partnership.agreed) if partnership.agreed else None),
        ("ended", reader.date(partnership.ended) if partnership.ended else None),
    ]
    return ((key, said) for key, said in lines if said is not None)


def numbered(city: City) -> dict[str, int]:
    """The city's publications, each with its number on the city's page."""
    return {source["source"]: at for at, source in enumerate(city.sources, start=1)}
