"""Ports that are tried again: how often, and what the log says of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.world import build_config

from pillarbox.app.supervisor import Listener
from pillarbox.cli.binding import Binding, Patience, patience_of
from pillarbox.system.listen import CannotListen

FAILED = "socket bind() to port 25 for address (any IPv4) failed: Address already in use"


def failing(times: int) -> Callable[[], tuple[Listener, ...]]:
    left = [times]

    def open_all() -> tuple[Listener, ...]:
        left[0] -= 1
        if left[0] >= 0:
            raise CannotListen("taken", "0.0.0.0", 25, "Address already in use")
        return (Listener("smtp", "0.0.0.0", 25, False, ()),)

    return open_all


def test_a_free_port_is_had_at_once() -> None:
    said: list[str] = []
    found = Binding(failing(0), Patience(9, 30.0), said.append).at_once()
    assert found is not None
    assert (found[0].port, said) == (25, [])


def test_a_port_that_becomes_free_is_had_later() -> None:
    said: list[str] = []
    slept: list[float] = []
    binding = Binding(failing(2), Patience(2, 30.0), said.append, slept.append)
    assert binding.at_once() is None
    assert binding.later()[0].port == 25
    assert said == [
        f"{FAILED}: waiting 30s before trying again (2 more tries)",
        f"{FAILED}: waiting 30s before trying again (1 more try)",
    ]
    assert slept == [30.0, 30.0]


def test_there_is_an_end_to_it() -> None:
    said: list[str] = []
    binding = Binding(failing(3), Patience(2, 0.0), said.append, lambda _: None)
    assert binding.at_once() is None
    with pytest.raises(CannotListen) as raised:
        binding.later()
    assert raised.value.in_exims_words == FAILED
    assert len(said) == 2


def test_without_retries_the_first_failure_is_the_last() -> None:
    with pytest.raises(CannotListen):
        Binding(failing(1), Patience(0, 30.0), lambda _: None).at_once()


def test_serve_tries_again_only_where_the_configuration_says_so() -> None:
    plain, asked = build_config(""), build_config("daemon_startup_retries = 3\ndaemon_startup_sleep = 1m\n")
    assert patience_of(plain, is_exim=False).retries == 0
    assert patience_of(plain, is_exim=True) == Patience(9, 30.0)
    assert patience_of(asked, is_exim=False) == Patience(3, 60.0)
