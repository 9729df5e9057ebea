"""The public pages: cities, a city, a partnership, a programme."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from domain.vocabulary import FormCode, Status
from gateway import reading
from gateway.pages.page import language_of, page
from gateway.pages.readable import Reader, Words
from gateway.pages.stories import (
    attended,
    headed,
    local_labels,
    numbered,
    rule_lines,
    rule_notes,
    status_group,
    title,
    told,
)
from gateway.problems import Problem

if TYPE_CHECKING:
    from gateway.pages.labels import Language
    from gateway.reading import City, Programme
    from tenants.database import Connection, Database

PAGE = 50


@dataclass(frozen=True, slots=True)
class _Source:
    number: int
    slug: str
    publisher: Words | None
    date: Words
    language: Words
    about: Words | None


class Portal:
    """The public pages over one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def router(self) -> APIRouter:
        """The routes of the pages; HEAD answers as GET does, without a body."""
        router = APIRouter(default_response_class=HTMLResponse)
        for path, answer in (
            ("/", self.home),
            ("/cities/{slug}", self.city),
            ("/cities/{slug}/partnerships/{number}", self.partnership),
            ("/cities/{slug}/programmes/{programme}", self.programme),
        ):
            router.add_api_route(path, answer, methods=["GET", "HEAD"], include_in_schema=False)
        return router

    def home(self, request: Request) -> HTMLResponse:
        """Every city, with how many partnerships stand where."""
        language = language_of(request)
        with reading.snapshot(self._database) as connection:
            cities = reading.cities(connection)
            counts = reading.statuses(connection, [city.tenant for city in cities])
            joined = Counter(each.tenant for each in reading.participations(connection))
        shown = [
            (city, sum(counts[city.tenant].values()), _counted(counts[city.tenant], language), joined[city.tenant])
            for city in cities
        ]
        # A city that records nothing of its own and only joins another's partnership stands in a list of its own.
        joining = [city for city, total, _, joins in shown if joins and not total]
        shown = [each for each in shown if each[0] not in joining]
        return page(
            request, "home.html", cities=shown, joining=joining, any_compiled=any(city.compiled for city in cities)
        )

    def city(self, request: Request, slug: str) -> HTMLResponse:
        """A city: its programmes, sources and coverage, and its partnerships, filtered as the query says."""
        language = language_of(request)
        wanted = _wanted(request, slug)
        with reading.snapshot(self._database) as connection:
            city = _known_city(connection, slug)
            programmes = reading.programmes(connection, [city.tenant])
            coverage = reading.timelines(connection, [each.stream for each in programmes], ["CoverageDeclared"])
            counts = reading.statuses(connection, [city.tenant])[city.tenant]
            joined = reading.participations(connection, tenants=[city.tenant])
            forms = reading.forms(connection, city.tenant)
            found = reading.partnerships(connection, wanted, PAGE + 1, _after(request, city))
            total = reading.count(connection, wanted)
        reader = _reader(language, city, programmes)
        sources = numbered(city)
        return page(
            request,
            "city.html",
            city=city,
            name=_name(city, language),
            programmes=[(each, title(reader, each.title_ja, each.title_en)) for each in programmes],
            reader=reader,
            coverage=[told(reader, entry, sources) for each in programmes for entry in coverage[each.stream]],
            complete=all(
                entry.data["coverage"] == "COMPLETE" for each in programmes for entry in coverage[each.stream]
            ),
            sources=_sources(reader, city),
            joined=[(each, title(reader, each.title_ja, each.title_en)) for each in joined],
            everything=sum(counts.values()),
            counts=_counted(counts, language),
            statuses=[(each.value, each.label(language)) for each in Status if each in counts],
            forms=[(form, FormCode(form).label(language)) for form in forms],
            wanted=wanted,
            filtered=bool(wanted.statuses or wanted.forms or wanted.text),
            total=total,
            partnerships=[headed(reader, each) for each in found[:PAGE]],
            further=found[PAGE - 1].number if len(found) > PAGE else None,
        )

    def partnership(self, request: Request, slug: str, number: str) -> HTMLResponse:
        """A partnership: where it stands, who takes part, and its timeline."""
        language = language_of(request)
        with reading.snapshot(self._database) as connection:
            city = _known_city(connection, slug)
            found = reading.partnership(connection, slug, number)
            if found is None:
                raise Problem(404, f"{city.name_en} has no partnership {number[:80]!r}")
            programmes = reading.programmes(connection, [city.tenant])
            parties = reading.parties(connection, [found.stream])[found.stream]
            entries = reading.timelines(connection, [found.stream])[found.stream]
            confirmed = reading.participations(connection, recorded=(slug, number))
        reader = _reader(language, city, programmes, {party.party_id: party for party in parties})
        sources = numbered(city)
        timeline = [told(reader, entry, sources) for entry in entries]
        return page(
            request,
            "partnership.html",
            city=city,
            name=_name(city, language),
            head=headed(reader, found),
            programme=reader.programme(found.programme),
            parties=[attended(reader, party) for party in parties],
            confirmed=[(each, each.name_ja if language == "ja" else each.name_en) for each in confirmed],
            timeline=timeline,
            anomalies=[entry for entry in timeline if entry.breaks],
        )

    def programme(self, request: Request, slug: str, programme: str) -> HTMLResponse:
        """A programme: the rules of its latest version, and its own timeline."""
        language = language_of(request)
        with reading.snapshot(self._database) as connection:
            city = _known_city(connection, slug)
            programmes = reading.programmes(connection, [city.tenant])
            found = next((each for each in programmes if each.slug == programme), None)
            if found is None:
                raise Problem(404, f"{city.name_en} has no programme {programme[:80]!r}")
            entries = reading.timelines(connection, [found.stream])[found.stream]
        reader = _reader(language, city, programmes)
        sources = numbered(city)
        return page(
            request,
            "programme.html",
            city=city,
            name=_name(city, language),
            programme=found,
            title=title(reader, found.title_ja, found.title_en),
            effective=reader.date(found.effective or "XXXX"),
            rules=rule_lines(reader, found.rules),
            rule_notes=rule_notes(reader, found.rules),
            timeline=[told(reader, entry, sources) for entry in sorted(entries, key=_age)],
        )


def _age(entry: reading.Entry) -> tuple[bool, date, int]:
    """The order of a programme's own timeline: by the day by which it surely was, the undated last."""
    day = entry.latest or entry.earliest
    return day is None, day or date.max, entry.place


def _known_city(connection: Connection, slug: str) -> City:
    found = reading.city(connection, slug)
    if found is None:
        raise Problem(404, f"no city is registered as {slug[:80]!r}")
    return found


def _name(city: City, language: Language) -> str:
    return city.name_ja if language == "ja" else city.name_en


def _reader(
    language: Language, city: City, programmes: list[Programme], parties: dict[str, Any] | None = None
) -> Reader:
    titles = {
        each.slug: found
        for each in programmes
        if (found := ((each.title_ja or each.title_en) if language == "ja" else (each.title_en or each.title_ja)))
    }
    return Reader(language, city.slug, parties or {}, titles, local_labels(programmes, language))


def _counted(counts: dict[str, int], language: Language) -> list[tuple[str, str, str, int]]:
    """For each status that occurs, in the order of the life-cycle: code, label, colour group, count."""
    return [
        (status.value, status.label(language), status_group(status), counts[status.value])
        for status in Status
        if status.value in counts
    ]


def _wanted(request: Request, slug: str) -> reading.Wanted:
    status, form = request.query_params.get("status") or None, request.query_params.get("form") or None
    for name, value, known in (("status", status, set(Status)), ("form", form, set(FormCode))):
        if value is not None and value not in known:
            raise Problem(400, f"{name} is one of {', '.join(sorted(known))}, not {value[:80]!r}")
    text = (request.query_params.get("text") or "").strip()[: reading.LONGEST_TEXT]
    return reading.Wanted(
        city=slug,
        statuses=(status,) if status else (),
        forms=(form,) if form else (),
        text=text or None,
    )


def _after(request: Request, city: City) -> reading.Place | None:
    number = (request.query_params.get("after") or "").replace("\x00", "")
    return (city.municipal_code or "", city.slug, number) if number else None


def _sources(reader: Reader, city: City) -> list[_Source]:
    return [
        _Source(
            number=number,
            slug=source["source"],
            publisher=reader.text(source["publisher"]) if "publisher" in source else None,
            date=reader.date(source["date"]),
            language=reader.code("language", source["language"]),
            about=reader.text(source["about"]) if "about" in source else None,
        )
        for number, source in enumerate(city.sources, start=1)
    ]
