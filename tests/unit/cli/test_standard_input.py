"""Reading a message from standard input."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from pillarbox.cli import standard_input
from pillarbox.cli.standard_input import Abandoned, TooBig, read_input


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standard_input, "AT_ONCE", 0.0)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def never() -> float:
    raise AssertionError("nobody need wait")


def soon() -> float:
    return 0.001


def test_a_dot_ends_it_while_the_input_goes_on(pipe: tuple[int, int]) -> None:
    for text in (b".\nmore", b"a: b\n\nbody\n.\n", b"a: b\r\n.\r\nmore\n"):
        os.write(pipe[1], text)
        assert read_input(pipe[0], never, dot_ends=True, limit=100) == text


def test_a_dot_that_comes_in_pieces(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"a: b\n\n.")

    def write_more() -> float:
        os.write(pipe[1], b"\n")
        return 60.0

    assert read_input(pipe[0], write_more, dot_ends=True, limit=100) == b"a: b\n\n.\n"


def test_a_dot_means_nothing_with_i(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"a\n.\nb\n")
    with pytest.raises(Abandoned) as caught:
        read_input(pipe[0], soon, dot_ends=False, limit=100)
    assert str(caught.value) == "exim: timed out while reading - message abandoned"
    assert (caught.value.log, caught.value.has_header) == ("timed out while reading local message", False)


def test_a_message_whose_header_is_there_has_an_id(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"a: b\r\n\r\nbo")
    with pytest.raises(Abandoned) as caught:
        read_input(pipe[0], soon, dot_ends=True, limit=100)
    assert caught.value.has_header


def test_signals_abandon_it_and_are_put_back(pipe: tuple[int, int]) -> None:
    def end() -> float:
        os.kill(os.getpid(), signal.SIGTERM)
        return 60.0

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Abandoned) as caught:
        read_input(pipe[0], end, dot_ends=True, limit=100)
    assert str(caught.value) == "\nexim: SIGTERM received - message abandoned"
    assert caught.value.log == "SIGTERM received while reading local message"
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_cannot_be_read(tmp_path: os.PathLike[str]) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(Abandoned) as caught:
        read_input(folder, never, dot_ends=True, limit=100)
    os.close(folder)
    assert str(caught.value) == "exim: Input read error (Is a directory)"


def test_too_much(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"x" * 11)
    with pytest.raises(TooBig):
        read_input(pipe[0], never, dot_ends=True, limit=10)
