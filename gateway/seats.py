"""How many connections may stay open to be told of news: so many for one client, and so many in all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gateway.rates import client_of

IN_ALL = 500
"""Connections of one process; each holds a file open, of which a process has 1,024 unless its operator allows more."""

FOR_A_CLIENT = 20
RETRY_AFTER = "30"
"""Seconds after which a place may be free."""


class NoSeat(Exception):
    """No further connection can stay open: the HTTP status to refuse it with, and one sentence that says why."""

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


@dataclass(slots=True)
class Seats:
    """The places of one process; to be taken and left in one thread."""

    in_all: int = IN_ALL
    for_a_client: int = FOR_A_CLIENT
    taken: Counter[str] = field(default_factory=Counter)

    def take(self, address: str | None) -> Seat:
        """A place for the client at that address, to be left; refuses with NoSeat."""
        client = client_of(address)
        if (held := self.taken[client]) >= self.for_a_client:
            raise NoSeat(
                429,
                f"This address holds {held:,} connections open, and {self.for_a_client:,} are all that one may;"
                " close one first.",
            )
        if (held := self.taken.total()) >= self.in_all:
            raise NoSeat(503, f"{held:,} connections are open, which is all that are served at a time; try again soon.")
        self.taken[client] += 1
        return Seat(self, client)


@dataclass(frozen=True, slots=True)
class Seat:
    """A place that was taken."""

    seats: Seats
    client: str

    def leave(self) -> None:
        """Give it back, once."""
        self.seats.taken[self.client] -= 1
        if not self.seats.taken[self.client]:
            del self.seats.taken[self.client]
