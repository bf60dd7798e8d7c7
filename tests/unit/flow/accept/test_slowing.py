"""smtp_ratelimit_mail and smtp_ratelimit_rcpt: how long which command waits (Exim 14)."""

from __future__ import annotations

from pillarbox.flow.accept.slowing import Brake, Pace


class Sleeper:
    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_growing_delays() -> None:
    clock = Sleeper()
    brake = Brake(Pace.parse("2, 0.5s, 2, 1m30s"), clock)
    for count in range(1, 13):
        await brake.slow_down(count)
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 90.0, 90.0]
