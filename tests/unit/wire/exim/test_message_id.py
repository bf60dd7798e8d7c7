"""Message ids: Exim's form, unique, in the order of time."""

from __future__ import annotations

import pytest

from pillarbox.wire.exim.message_id import (
    RUN_BITS,
    MessageIdParts,
    MessageIds,
    decode,
    encode,
    is_message_id,
    leading_id,
    process_number,
)


class ListClock:
    def __init__(self, *times: float) -> None:
        self.times = list(times)

    def now(self) -> float:
        return self.times.pop(0) if len(self.times) > 1 else self.times[0]

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


def test_ids_of_the_real_exim() -> None:
    """`1xVBlU-000000002vd-3Fbs`: received 1795370052.774992 by process 11261."""
    assert decode("1xVBlU-000000002vd-3Fbs") == MessageIdParts(1795370052, 11261, 774992)
    assert encode(MessageIdParts(1795370052, 11261, 774992)) == "1xVBlU-000000002vd-3Fbs"


def test_ids_of_exim_before_4_97() -> None:
    """The last two digits count 1/2000 of a second."""
    assert is_message_id("1vMXYZ-0001Lk-Ab")
    old = decode("1xVBlU-0002vd-1E")
    assert (old.seconds, old.process, old.fraction) == (1795370052, 11261, 38000)
    assert [
        leading_id(name) for name in ("1xVBlU-0002vd-1E-H", "1xVBlU-000000002vd-3Fbs-D", "1xVBlU-0002vd")
    ] == [
        "1xVBlU-0002vd-1E",
        "1xVBlU-000000002vd-3Fbs",
        "",
    ]


def test_clock_that_jumps_back_gives_new_ids() -> None:
    ids = MessageIds(ListClock(2000.0, 2000.0, 1000.0, 1000.0, 2000.000001, 2000.5).now, run=1)
    made = [ids.new() for _ in range(6)]
    assert made == sorted(set(made))
    assert decode(made[3]).time == pytest.approx(2000.000003)
    assert decode(made[5]).time == pytest.approx(2000.5)


def test_processes_and_runs_never_meet() -> None:
    numbers = {process_number(run, pid) for run in (0, 1, 2**RUN_BITS - 1) for pid in (1, 2**22 - 1)}
    assert len(numbers) == 6
    assert max(numbers) < 62**7


def test_ids_of_all_processes_are_in_the_order_of_the_clock() -> None:
    """Whatever their process ids: `-q FIRST LAST` compares ids."""
    clock = ListClock(7.1, 7.100001, 7.2, 7.3, 8.0)
    makers = [MessageIds(clock.now, pid=pid) for pid in (900, 1, 2**22 - 1)]
    made = [makers[number % 3].new() for number in range(5)]
    assert made == sorted(made)
    assert [decode(each).fraction for each in made] == [100000, 100001, 200000, 300000, 0]


def test_restarts_draw_another_run() -> None:
    clock = ListClock(5.0)
    assert len({MessageIds(clock.now, pid=7).new() for _ in range(20)}) == 20


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1xVBlU-000000002vd-3Fbs\n",
        "1xVBlU-000000002vd-3Fb",
        "../../../etc/passwd/abcd",
        "1xVBlU-0000000é2vd-3Fbs",
    ],
)
def test_what_is_no_id(text: str) -> None:
    assert not is_message_id(text)
    with pytest.raises(ValueError, match="not a message id"):
        decode(text)
