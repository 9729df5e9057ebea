"""What happened and when: events of a timeline, valid times, and the rules that imported events break."""

from datetime import date, datetime

import strawberry
from strawberry.scalars import JSON

from domain.commands import BY_EVENT
from gateway.graphql.declared import Link, Table, about, inline, link, reads, value
from gateway.graphql.vocabulary import Certainty, Mode, Status
from gateway.refusals import RULES, explained
from projections.anomalies import ANOMALIES
from projections.timeline import TIMELINE

RULE_JA = {rule: explained(rule, "ja") for rule in RULES}
RULE_EN = {rule: explained(rule, "en") for rule in RULES}
_EVENT_JA = {name: known.ja for name, known in BY_EVENT.items()}
_EVENT_EN = {name: known.en for name, known in BY_EVENT.items()}
_TIMELINE = about(TIMELINE)

RULES_OF = "unnest({p}.%s) AS {t} (rule)"


@reads(ANOMALIES, description="A rule that an imported event breaks: it was accepted because it happened.")
class Anomaly:
    """A broken rule, explained."""

    rule: str
    message_ja: str = value("{t}.rule", "What it says, in Japanese.", labels=RULE_JA)
    message_en: str = value("{t}.rule", "What it says, in English.", labels=RULE_EN)


@strawberry.type(description="A date as its source gives it, never more precise.")
class When:
    """A date."""

    edtf: str = value("{edtf}", "The date (EDTF, ISO 8601-2); `XXXX` is not known at all.")
    earliest: date | None = value("{earliest}", "The first day that it may be; null is unbounded.")
    latest: date | None = value("{latest}", "The last day that it may be; null is unbounded.")
    display_ja: str = value("{edtf}", "The date in Japanese words.", words="date_ja")
    display_en: str = value("{edtf}", "The date in English words.", words="date_en")


def when(name: str, description: str, *, bounds: str | None = None, on_day: str | None = None) -> When:
    """A date from the column of that name and the two of its bounds; null where it is."""
    prefix = name if bounds is None else bounds
    join = f"{prefix}_" if prefix else ""
    made: When = inline(
        description,
        present=f"{{t}}.{name} IS NOT NULL",
        on_day=on_day,
        edtf=f"{{t}}.{name}",
        earliest=f"{{t}}.{join}earliest",
        latest=f"{{t}}.{join}latest",
    )
    return made


@strawberry.type(description="When something happened, never more precise than its source.")
class ValidTime:
    """Valid time."""

    edtf: str = value("{edtf}", _TIMELINE["valid"])
    earliest: date | None = value("{earliest}", _TIMELINE["earliest"])
    latest: date | None = value("{latest}", _TIMELINE["latest"])
    certainty: Certainty = value("{certainty}", _TIMELINE["certainty"])
    label: str | None = value("{label}", _TIMELINE["label"])
    inferred_from: str | None = value("{inferred_from}", _TIMELINE["inferred_from"])
    display_ja: str = value("{edtf}", "The date in Japanese words.", words="date_ja")
    display_en: str = value("{edtf}", "The date in English words.", words="date_en")


@reads(TIMELINE, description="An event of a timeline, as it now counts.", day=".")
class TimelineEvent:
    """An event."""

    version: int
    place: int
    type: str
    label_ja: str = value("{t}.type", "What happened, in Japanese.", labels=_EVENT_JA)
    label_en: str = value("{t}.type", "What happened, in English.", labels=_EVENT_EN)
    position: int
    leaf_hash: str
    recorded_at: datetime
    mode: Mode
    status: Status | None
    actor: str
    source: str | None
    corrected_by: int | None
    programme: str | None
    programme_version: int | None
    proof: str = value(
        "'/log/' || (SELECT slug FROM tenant WHERE tenant.tenant_id = {t}.tenant_id) || '/proof/' || {t}.position",
        "Where this service proves that its entry stands in the city's log: a C2SP tlog-proof, entry included.",
    )
    valid: ValidTime = inline(
        "When it happened.",
        edtf="{t}.valid",
        earliest="{t}.earliest",
        latest="{t}.latest",
        certainty="{t}.certainty",
        label="{t}.label",
        inferred_from="{t}.inferred_from",
    )
    data: JSON = value("{t}.clear", _TIMELINE["clear"])
    breaks: list[Anomaly] = link(Link(table=Table(RULES_OF % "breaks", version=None), typical=0), _TIMELINE["breaks"])
