"""Declarations: slots, defaults, registries, kinds."""

from __future__ import annotations

from typing import Literal

import pytest

from pillarbox.config.declare import Driver, derived, option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import Duration, Octal, Size, parse_duration, parse_integer
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.interval import show_interval


class Shape(Driver, family="test-shape"):
    domains: DomainList | None = option(default=None, doc="…")
    text: Template = option(default="$1", doc="…")


class Square(Shape, driver="square"):
    size: Size = option(default="5M", doc="…")
    pause: Duration = option(default="1h", doc="…")
    mode: Octal = option(default=0o600, doc="…")
    kind: Literal["a", "b"] = option(default="a", doc="…", name="type")
    area: int = derived(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "area", self.size * self.size)


class Needy(Shape, driver="needy"):
    must: str = option(doc="…")


def test_a_driver_is_frozen_and_has_slots() -> None:
    square = Square(name="q", size=3)
    assert (square.name, square.size, square.pause, square.area, square.text.source) == (
        "q",
        3,
        3600.0,
        9,
        "$1",
    )
    assert not hasattr(square, "__dict__")
    with pytest.raises(AttributeError):
        square.size = 4  # type: ignore[misc]


def test_drivers_register_in_their_family_only() -> None:
    assert Shape.registry == {"square": Square, "needy": Needy}
    assert Driver.families["test-shape"] is Shape
    with pytest.raises(TypeError, match="declared twice"):

        class Other(Shape, driver="square"):
            pass


def test_options_have_their_configuration_names() -> None:
    assert set(Square.options()) == {"domains", "text", "size", "pause", "mode", "type"}
    assert Square.options()["type"].place == "kind"


def test_unknown_and_missing_values_are_refused() -> None:
    with pytest.raises(TypeError, match="nosuch"):
        Square(nosuch=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="must"):
        Needy()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("size", "4k", 4096),
        ("size", "0x10", 16),
        ("size", "010", 8),
        ("mode", "0660", 0o660),
        ("pause", "1w2d3h4m5s", 788645.0),
        ("type", "b", "b"),
    ],
)
def test_parses_kinds(name: str, text: str, value: object) -> None:
    assert Square.options()[name].kind.parse(text, NamedLists()) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("size", "x", "integer expected for size"),
        ("pause", "5x", "invalid time value for pause"),
        ("pause", "90", "invalid time value for pause"),
        ("size", "08", "extra characters follow integer value for size"),
        ("size", "2G", 'absolute value of integer "2G" is too large'),
        ("mode", "9", "octal integer expected for mode"),
        ("type", "c", "not one of a, b"),
        ("text", "$nosuch", "unknown variable"),
        ("domains", "+nosuch", "unknown named domain list"),
    ],
)
def test_refuses_malformed_values(name: str, text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Square.options()[name].parse(text, NamedLists())


def test_durations_and_integers() -> None:
    assert parse_duration("90s") == 90.0
    assert show_interval(5400) == "1h30m"
    assert show_interval(0) == "0s"
    assert parse_integer("-1") == -1
    with pytest.raises(OptionError):
        parse_duration("")
