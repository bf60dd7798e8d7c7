"""What slows a guesser down: every failure costs a delay, and many failures close the door for a while.

Counted by network (IPv4 address, IPv6 /64) and by name, in memory of one worker, bounded; a name under attack from many networks is only
slowed, never closed, so that nobody can lock somebody else out.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from pillarbox.ports.clock import Clock
from pillarbox.ports.users import LoginThrottled

MAX_FAILURES = 12
"""From one network; the next try has to wait until the count has decayed below it."""
DECAY_SECONDS = 60.0
"""One failure is forgotten in this time."""
DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 4.0
REMEMBERED = 10_000


class Throttle:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, peer_address: str) -> None:
        """Raises LoginThrottled."""
        level = self._level(_network(peer_address))
        if level >= MAX_FAILURES:
            raise LoginThrottled((level - MAX_FAILURES + 1) * DECAY_SECONDS)

    async def punish(self, name: str, peer_address: str) -> None:
        """Count a failure and take its time."""
        level = max(self._add(_network(peer_address)), self._add(f"name {name.lower()[:320]}"))
        await self._clock.sleep(min(DELAY_SECONDS * level, MAX_DELAY_SECONDS))

    def _level(self, key: str) -> float:
        level, at = self._failures.get(key, (0.0, 0.0))
        return max(0.0, level - max(0.0, self._clock.monotonic() - at) / DECAY_SECONDS)

    def _add(self, key: str) -> float:
        level = self._level(key) + 1
        self._failures[key] = (level, self._clock.monotonic())
        self._failures.move_to_end(key)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
        return level


def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 6:
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return address
