"""What may be watched: the events of a city, or of one of its partnerships, as they are recorded.

The events of a batch are answered by one statement, by the same declarations as queries.
"""

from collections.abc import Callable
from typing import Annotated, Any

import strawberry

from gateway.graphql.declared import DECLARED, Link
from gateway.graphql.happened import TimelineEvent

EVENTS = Link(
    "{t}.tenant_id = %(tenant)s AND {t}.position = ANY (%(positions)s::bigint[])",
    ("{t}.position",),
)
"""The events at some positions of a city's log."""

EVENT = "{t}.tenant_id = %(id0)s AND {t}.position = %(id1)s"
"""The one at a position."""


def watched(declared: Link, description: str, arguments: Callable[..., Any]) -> Any:
    """A field of a subscription that leads to one object after the other, with the arguments of that signature."""
    return strawberry.field(arguments, is_subscription=True, description=description, metadata={DECLARED: declared})


def _timeline(
    city: Annotated[str, strawberry.argument(description="The city's slug, for instance `yamato`.")],
    number: Annotated[
        str | None, strawberry.argument(description="Of its partnership of this number only, for instance `Y3`.")
    ] = None,
    after: Annotated[
        int | None,
        strawberry.argument(
            description="The last position that was seen: events behind it are sent at once. Unless given, all are."
        ),
    ] = None,
) -> Any:
    """The arguments of a timeline that is watched."""


@strawberry.type(description="What may be watched, as text/event-stream or over a WebSocket (graphql-transport-ws).")
class Subscription:
    """The root of subscriptions."""

    timeline: TimelineEvent = watched(
        EVENTS,
        "Every event of a city's log, or of a partnership, in order of position, as soon as pages show it."
        " Each is as it was recorded: what is corrected or retracted later is so by an event of its own.",
        _timeline,
    )
