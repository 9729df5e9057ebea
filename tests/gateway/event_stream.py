"""A reader of server-sent events, by the standard's own words (HTML §9.2.6), and none of ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass
class Message:
    """One dispatched event; `id` is the last one that was sent."""

    id: str
    event: str
    data: str


def messages(
    lines: Iterable[str], comments: list[str] | None = None, retry: list[str] | None = None
) -> Iterator[Message]:
    """The events in the lines of a stream; what is none of them goes into the lists."""
    last, event, data = "", "message", []
    for line in lines:
        if not line:
            if data:
                yield Message(last, event, "\n".join(data))
            event, data = "message", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "":
            (comments if comments is not None else []).append(value)
        elif name == "id":
            last = value
        elif name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "retry" and retry is not None:
            retry.append(value)
