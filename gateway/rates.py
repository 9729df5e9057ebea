"""How often one client may ask: so many requests in a window, taken one by one and given back evenly.

The generic cell rate algorithm: one moment is kept for each client, the one at which all its requests are given back.
Answers say where the client stands in the header fields of draft-ietf-httpapi-ratelimit-headers.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_CLIENTS = 100_000
"""Clients remembered at once; beyond that the one that asked least recently is forgotten."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds; all of them may come at once."""

    requests: int
    seconds: int

    @property
    def header(self) -> str:
        """The field RateLimit-Policy."""
        return f'"client";q={self.requests};w={self.seconds}'


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a client has left, the seconds until all is given back, and those to wait where it was refused, else 0."""

    remaining: int
    reset: int
    wait: int

    @property
    def header(self) -> str:
        """The field RateLimit."""
        return f'"client";r={self.remaining};t={self.reset}'


class Limiter:
    """Counts the requests of each client in this process; to be asked from one thread."""

    def __init__(self, rate: Rate, now: Callable[[], float] = time.monotonic, most: int = MOST_CLIENTS) -> None:
        self.rate = rate
        self._now, self._most = now, most
        self._given_back: OrderedDict[str, float] = OrderedDict()

    def ask(self, client: str) -> Allowance:
        """Take one request of the client's; a refused one costs nothing."""
        now, each = self._now(), self.rate.seconds / self.rate.requests
        before = max(self._given_back.get(client, now), now)
        ahead = before + each - now
        if wait := max(0.0, ahead - self.rate.seconds):
            return Allowance(0, math.ceil(before - now), math.ceil(wait))
        self._given_back[client] = before + each
        self._given_back.move_to_end(client)
        self._forget(now)
        return Allowance(int((self.rate.seconds - ahead) / each), math.ceil(ahead), 0)

    def _forget(self, now: float) -> None:
        # Whoever asked least recently comes first. Looking at two for each request clears away faster than they come.
        for _ in range(2):
            client, given_back = next(iter(self._given_back.items()))
            if given_back > now and len(self._given_back) <= self._most:
                break
            del self._given_back[client]


def client_of(address: str | None) -> str:
    """Who counts as one client: an IPv4 address, or the /64 network that one IPv6 subscriber has to himself."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return address or ""
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Network((found, 64), strict=False))
