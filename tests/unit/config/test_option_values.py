"""Numbers, times, users and the rest, as Exim reads and shows them; each fact was asked of Exim 4.100.1."""

from __future__ import annotations

import pytest

from pillarbox.config.declare import Driver, MainOptions, Option, option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import (
    CheckedTime,
    Duration,
    Durations,
    ExpandedBool,
    ExpandedUser,
    FixedPoint,
    Group,
    HeaderRewriting,
    Kilobytes,
    LogSelector,
    Octal,
    Size,
    User,
    Users,
    fixed_integer,
)
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists


class Sample(Driver, family="test-values"):
    number: int = option(default=0, doc="…")
    size: Size = option(default=0, doc="…")
    space: Kilobytes = option(default=0, doc="…")
    load: FixedPoint | None = option(default=None, doc="…")
    mode: Octal = option(default=0, doc="…")
    pause: Duration = option(default=0.0, doc="…")
    pauses: Durations = option(default=(), doc="…")
    patience: CheckedTime | None = option(default="5m", doc="…")
    truth: bool = option(default=False, doc="…")
    perhaps: ExpandedBool = option(default=False, doc="…")
    user: User = option(default="", doc="…")
    later: ExpandedUser | None = option(default=None, doc="…")
    group: Group = option(default="", doc="…")
    users: Users | None = option(default=None, doc="…")
    selector: LogSelector | None = option(default=None, doc="…")
    rewriting: HeaderRewriting | None = option(default=None, doc="…")


def _option(name: str) -> Option:
    return Sample.options()[name]


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("number", "4K", "4096"),
        ("number", "0x10", "16"),
        ("number", "010", "8"),
        ("number", "+5", "5"),
        ("number", "-5", "-5"),
        ("number", "1G", "1073741824"),
        ("size", "1G", "1024M"),
        ("size", "1048576", "1M"),
        ("size", "2047K", "2047K"),
        ("size", "1025", "1025"),
        ("size", "0", "0"),
        ("space", "10M", "10M"),
        ("space", "3", "3K"),
        ("space", "1g", "1G"),
        ("space", "5t", "5T"),
        ("space", "1048577K", "1048577K"),
        ("space", "-1", "-1K"),
        ("space", "0", "0"),
        ("load", "1", "1.0"),
        ("load", "1.2345", "1.234"),
        ("load", "1.05", "1.05"),
        ("load", "0", "0.0"),
        ("mode", "600", "0600"),
        ("mode", "0", "0"),
        ("pause", "90m", "1h30m"),
        ("pause", "1m1h", "1h1m"),
        ("pause", "1h1h", "2h"),
        ("pauses", "1h:2h", "1h:2h"),
        ("pauses", "0s", ""),
        ("pauses", "", ""),
        ("patience", "${if eq{1}{1}{5m}}", "${if eq{1}{1}{5m}}"),
        ("truth", "TRUE", "yes"),
        ("truth", "", "yes"),
        ("perhaps", "${if eq{1}{1}}", "${if eq{1}{1}}"),
        ("perhaps", "no", "no"),
        ("user", "0", "root"),
        ("user", "4294967", "4294967"),
        ("later", "0", "root"),
        ("later", "${sender_address}x", "${sender_address}x"),
        ("group", "0", "root"),
        ("users", "0 : root", "root:root"),
        ("users", "${if eq{1}{1}{root}}", "root"),
        ("selector", "+all -pid", "+all -pid"),
        ("selector", "-pid+all", "-pid+all"),
        ("selector", "+", "+"),
        (
            "rewriting",
            "*@a.test $1@b.test fs : *@c.test d@e.test h",
            "*@a.test $1@b.test fs : *@c.test d@e.test h",
        ),
    ],
)
def test_reads_and_shows(name: str, text: str, shown: str) -> None:
    found = _option(name)
    text = text.replace("${sender_address}", "${if eq{$value}{a}}")
    shown = shown.replace("${sender_address}", "${if eq{$value}{a}}")
    assert found.kind.show(found.parse(text, NamedLists())) == shown


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("number", "x", "integer expected for number"),
        ("number", "", "integer expected for number"),
        ("number", "- 5", "integer expected for number"),
        ("number", "08", "extra characters follow integer value for number"),
        ("number", "0x", "extra characters follow integer value for number"),
        ("number", "5 6", "extra characters follow integer value for number"),
        ("number", "2G", 'absolute value of integer "2G" is too large (overflow)'),
        ("number", "5G x", 'absolute value of integer "5G x" is too large (overflow)'),
        ("number", "9" * 5000, f'absolute value of integer "{"9" * 5000}" is too large (overflow)'),
        ("space", "3 K", "extra characters follow integer value for space"),
        ("load", "x", "fixed-point number expected for load"),
        ("load", ".5", "fixed-point number expected for load"),
        ("load", "1.5 x", "extra characters follow fixed-point value for load"),
        ("mode", "8", "octal integer expected for mode"),
        ("mode", "0999", "extra characters follow octal integer value for mode"),
        ("pause", "3600", "invalid time value for pause"),
        ("pause", "1h 30m", "invalid time value for pause"),
        ("pause", "1H", "invalid time value for pause"),
        ("pause", "0", "invalid time value for pause"),
        ("pauses", "2h:1h", "time value out of order for pauses"),
        ("pauses", "1h:1h", "time value out of order for pauses"),
        ("pauses", ":".join(f"{n}h" for n in range(1, 12)), "too many time values for pauses"),
        ("patience", "x", "invalid time value for patience"),
        ("truth", "on", '"on" is not a valid value for the "truth" option'),
        ("truth", "1", '"" is not a valid value for the "truth" option'),
        ("truth", "yes no", 'extra characters follow "yes" for boolean option truth'),
        ("perhaps", "foo", '"foo" is not a valid value for the "perhaps" option'),
        ("user", "nosuch-user", "user nosuch-user was not found"),
        ("user", "", "user  was not found"),
        ("user", "$x", "user $x was not found"),
        ("group", "nosuch-group", "group nosuch-group was not found"),
        ("users", "root : nosuch-user", "user nosuch-user was not found"),
        ("users", "$nosuch", 'failed to expand users: unknown variable name "nosuch"'),
        ("selector", "+nosuch", "unknown log_selector setting: +nosuch"),
        ("selector", "all", 'malformed log_selector setting: + or - expected but found "ll"'),
        ("selector", "+all,-pid", 'malformed log_selector setting: + or - expected but found "-pid"'),
    ],
)
def test_refuses_in_exims_words(name: str, text: str, reason: str) -> None:
    with pytest.raises(OptionError) as caught:
        _option(name).parse(text, NamedLists())
    assert str(caught.value) == reason


def test_given_tells_what_was_set_and_in_what_order() -> None:
    sample = Sample(name="s", size=3, number=0)
    assert sample.given == ("name", "size", "number")
    assert (sample.number, sample.mode, sample.pauses) == (0, 0, ())


def test_a_default_is_made_once_and_then_stands_in_its_slot() -> None:
    one, two = Sample(name="one"), Sample(name="two")
    assert one.patience is two.patience
    assert Sample.__dict__["patience"].__get__(one) is one.patience


def test_what_is_not_declared_is_not_there() -> None:
    with pytest.raises(AttributeError, match="nosuch"):
        Sample(name="s").nosuch  # type: ignore[attr-defined]  # noqa: B018


def test_an_integer_that_depends_is_told_from_one_that_does_not() -> None:
    assert [fixed_integer(Template.parse(text)) for text in ("10", "4K", "", "x", "$value")] == [
        10,
        4096,
        0,
        None,
        None,
    ]
    assert fixed_integer(None) == 0


def test_main_options_know_of_no_test() -> None:
    assert all(settings.__module__.startswith("pillarbox.") for settings in MainOptions.registry)


@pytest.mark.parametrize(
    ("name", "text", "nothing"),
    [
        ("truth", "no", True),
        ("truth", "yes", False),
        ("pauses", "", True),
        ("patience", "1h", False),
        ("later", "root", False),
        ("mode", "0", True),
        ("mode", "022", False),
    ],
)
def test_a_value_that_asks_for_nothing(name: str, text: str, nothing: bool) -> None:
    found = _option(name)
    assert found.asks_for_nothing(found.parse(text, NamedLists())) is nothing
