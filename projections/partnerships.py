"""Partnerships and their parties, as they are listed, searched and compared."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from domain.partnership.parts import Membership
from domain.partnership.state import Partnership
from projections.read_model import Column, ReadModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.history import History
    from projections.read_model import Key, Parts


def _partnership(history: History) -> Parts:
    # A consultation that nobody registered is no partnership yet.
    if not history.state.registered:
        return {}
    return {(history.recorded[0].stream,): history.state}


def _state(history: History) -> Any:
    return history.state


def _partnership_row(_: Key, state: Partnership, __: History) -> tuple[Any, ...]:
    rejected = [s for s in state.submissions if s.outcome == "REJECTED"]
    agreement = state.agreements[-1] if state.agreements else None
    return (
        state.number,
        state.programme,
        state.status.value if state.status else None,
        state.kind,
        state.origin.value if state.origin else None,
        state.city_role.value if state.city_role else None,
        state.lead_area,
        state.field,
        state.joint,
        list(state.forms),
        len(state.submissions),
        len(rejected),
        sum(known.renewals for known in state.agreements),
        agreement.began if agreement else None,
        state.ended,
        [anomaly.rule for anomaly in state.anomalies],
        state.title_ja,
        state.title_en,
        state.title_translated,
        state.place,
        state.objective,
        [known.party.name_ja for known in state.parties] + [k.party.name_en for k in state.parties if k.party.name_en],
    )


def normal(text: str) -> str:
    """The form in which texts are compared: width and case do not matter (NFKC, case folded)."""
    return unicodedata.normalize("NFKC", text).casefold()


def bigrams(text: str) -> set[str]:
    """Every two neighbouring characters of each word, so that Japanese words are found without a dictionary."""
    return {word[at : at + 2] for word in normal(text).split() for at in range(max(len(word) - 1, 1))}


def _search(row: dict[str, Any], texts: Mapping[str, str]) -> tuple[str, list[str]]:
    digests = (row["title_ja"], row["title_en"], row["place"], row["objective"], *row["names"])
    return _searchable((row["number"], *(texts[digest] for digest in digests if digest in texts)))


@lru_cache(maxsize=1_024)
def _searchable(found: tuple[str, ...]) -> tuple[str, list[str]]:
    # Nearly every version of a partnership has the same texts as the one before.
    return "\n".join(map(normal, found)), sorted({gram for each in found for gram in bigrams(each)})


PARTNERSHIPS = ReadModel(
    name="partnership",
    description="Partnerships: one row each, with where it stands and how it got there in numbers.",
    state=Partnership,
    key=(Column("partnership_id", "uuid", "Opaque permanent id of the partnership, the stream in its city's log."),),
    parts=_partnership,
    source=_state,
    row=_partnership_row,
    columns=(
        Column("number", "text", "The city's number of the partnership.", required=True),
        Column("programme", "text", "The programme (制度) that it belongs to."),
        Column("status", "text", "Where it stands in the life-cycle.", required=True),
        Column("kind", "text", "The programme's kind of project."),
        Column("origin", "text", "How it came about."),
        Column("city_role", "text", "PARTY, FACILITATOR or REGISTRAR."),
        Column("lead_area", "text", "Who leads (領域)."),
        Column("field", "text", "The field of activity, our classification."),
        Column("joint", "boolean", "Whether several cities take part; counted once overall.", required=True),
        Column("forms", "text[]", "Common codes of its forms of collaboration.", required=True),
        Column("submissions", "integer", "Proposals submitted, resubmissions included.", required=True),
        Column("rejections", "integer", "Proposals rejected.", required=True),
        Column("renewals", "integer", "Renewals of its agreements.", required=True),
        Column("agreed", "text", "When its last agreement was concluded (EDTF)."),
        Column("ended", "text", "When it ended (EDTF)."),
        Column("anomalies", "text[]", "Rules that imported events break: accepted because they happened."),
        Column("title_ja", "text", "Title in Japanese.", text=True),
        Column("title_en", "text", "Title in English.", text=True),
        Column(
            "title_translated", "text", "The language of the title that is a plain translation, not an official name."
        ),
        Column("place", "text", "Where it takes place.", text=True),
        Column("objective", "text", "What it is for, as last refined.", text=True),
        Column("names", "text[]", "Digests of the parties' names, by which it can be found."),
    ),
    derive=_search,
    derived=(
        Column("search_text", "text", "Readable texts, normalised for search."),
        Column("bigrams", "text[]", "Neighbouring characters of the readable texts."),
    ),
    indexes=(
        "USING gin (bigrams)",
        "(number, tenant_id)",
        "(status, tenant_id)",
    ),
)


def _parties(history: History) -> Parts:
    return {(history.recorded[0].stream, known.party.party): known for known in history.state.parties}


def _members(history: History) -> Any:
    return history.state.parties


def _party_row(key: Key, known: Membership, history: History) -> tuple[Any, ...]:
    party = known.party
    place = next(at for at, each in enumerate(history.state.parties, start=1) if each.party.party == key[1])
    return (
        place,
        known.kind.value if known.kind else None,
        list(party.roles),
        party.city_role.value if party.city_role else None,
        party.count,
        known.invited,
        list(known.members),
        party.name_ja,
        party.name_en,
    )


PARTIES = ReadModel(
    name="party",
    description="Parties of partnerships: one row for each party in each partnership.",
    state=Partnership,
    key=(
        Column("partnership_id", "uuid", "The partnership."),
        Column("party_id", "text", "Opaque id of the party within its city."),
    ),
    parts=_parties,
    source=_members,
    row=_party_row,
    columns=(
        Column("place", "integer", "Its place in the list of parties, from 1."),
        Column("kind", "text", "What the party is."),
        Column("roles", "text[]", "Its roles in this partnership.", required=True),
        Column("city_role", "text", "For a city body: what the city is here."),
        Column("count", "integer", "How many bodies stand behind it; NULL is not stated, which is not 0."),
        Column("invited", "text", "INVITED, ACCEPTED or DECLINED, where it was asked to take part."),
        Column(
            "members", "text[]", "Party ids of the members of a federation, joint venture or committee.", required=True
        ),
        Column("name_ja", "text", "Name in Japanese; NULL when it is not public.", text=True),
        Column("name_en", "text", "Name in English; NULL when it is not public.", text=True),
    ),
)
