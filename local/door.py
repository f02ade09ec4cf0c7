"""Who may come in: one process's connections, and how many requests may be under way."""

import heapq
import ipaddress
from collections import Counter
from typing import Protocol

from local.bounds import Bounds
from local.rejected import Rejected, overloaded, too_many_connections

_OLDEST_AT_ONCE = 64
# What share of the places all routes may take, and what the preferred ones may, the dearest last.
_SHARES = (0.6, 0.8, 1.0)


class Guest(Protocol):
    """A connection as the door sees it."""

    def waiting_since(self) -> float | None:
        """When it last had a request under way, by the loop's clock; None if it has one now."""

    def leave(self) -> None:
        """Make room for somebody else."""


class Door:
    """Counts what may not become too many, and says who goes when it does."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._guests: dict[Guest, str] = {}
        self._by_address: Counter[str] = Counter()
        self._oldest: list[tuple[float, Guest]] = []
        self._places = _places(bounds)
        # So many requests under way that the first routes are turned away.
        self.calm = _share_of(bounds.in_flight, 0 if bounds.preferred else -1)

    def enter(self, guest: Guest, address: str) -> Rejected | None:
        """Count a new connection, or say why it is one too many; it counts until `left`."""
        share = _share(address)
        full = len(self._guests) >= self._bounds.connections and not self._make_room()
        self._guests[guest] = share
        self._by_address[share] += 1
        if full:
            return overloaded("too many connections, try again")
        if self._by_address[share] > self._bounds.connections_per_address:
            return too_many_connections()
        return None

    def left(self, guest: Guest) -> None:
        """A connection is gone."""
        share = self._guests.pop(guest, None)
        if share is None:
            return
        self._by_address[share] -= 1
        if not self._by_address[share]:
            del self._by_address[share]

    def places(self, method: str, path: str) -> int:
        """How many requests may be under way for one of this route to be served as well."""
        return self._places.get((method, path), self.calm)

    def _make_room(self) -> bool:
        """Ask the connection to leave that has waited longest, and has nothing under way."""
        for look_again in (False, True):
            if look_again:
                self._find_oldest()
            while self._oldest:
                since, guest = self._oldest.pop()
                if guest in self._guests and guest.waiting_since() == since:
                    guest.leave()
                    return True
        return False

    def _find_oldest(self) -> None:
        """Looking at all of them for each newcomer would be dear: several are found at once."""
        waiting = (
            (since, number, guest)
            for number, guest in enumerate(self._guests)
            if (since := guest.waiting_since()) is not None
        )
        oldest = heapq.nsmallest(_OLDEST_AT_ONCE, waiting)
        self._oldest = [(since, guest) for since, _, guest in reversed(oldest)]


def _places(bounds: Bounds) -> dict[tuple[str, str], int]:
    """The places of each preferred route; all others have the least share."""
    places = {}
    for rank, route in enumerate(bounds.preferred):
        method, _, path = route.partition(" ")
        places[method, path] = _share_of(bounds.in_flight, max(0, len(_SHARES) - 1 - rank))
    return places


def _share_of(most: int, index: int) -> int:
    return max(1, int(most * _SHARES[index]))


def _share(address: str) -> str:
    """Whose share a connection is part of: an IPv6 customer has a whole /64."""
    if ":" not in address or address.startswith("::ffff:"):
        return address
    return ipaddress.IPv6Network((address.partition("%")[0], 64), strict=False).compressed
