"""`exim_msgdate [OPTION ...] ID ...`: when a message was received, from its id (Exim 3.4, 54.13).

The seconds alone are an id, too; what follows one behind a hyphen is not looked at. Options may be shortened as long as they are the only
ones that begin so.

Gap: ids of hosts with `localhost_number` are read as any other's unless `--localhost_number` says which.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator

import msgspec

from pillarbox.cli.tools.running import carry_out

USAGE = """\
Usage:
    exim_msgdate [ -u|--unix | --GMT | --z|-Zulu | --UTC | -l|--local ]
    [ --base 36 | --base 62 | --base36 | --base62 | --b36 | --b62 ] [ --pid ]
    [ --debug ] [ --localhost_number ] [ -C <configuration file> ]
    exim-message-id [ | exim-message-id ...]

    exim_msgdate --help|--man

"""
OPTIONS = """\
Options:
    -u, --unix               seconds since 1 Jan 1970
    --GMT, --UTC, -z         the time in UTC
    -l, --local              the local time: the default
    --pid                    the process number as well
    --base N, --b36, --b62   what ids are written in: 62, unless a file system ignores case
    --localhost_number N     0 to 16, or none: the third part of ids holds this number
    -C FILE                  accepted; nothing in it is needed
    --help, --man            this text

"""
_ID = re.compile(
    r"([0-9A-Za-z]{6})(?:-([0-9A-Za-z]{11})-([0-9A-Za-z]{4})|-([0-9A-Za-z]{6})-([0-9A-Za-z]{2}))?(?:-.*)?"
)
_FLAGS = {
    **dict.fromkeys(("unix", "u"), "unix"),
    **dict.fromkeys(("gmt", "utc", "zulu"), "utc"),
    **dict.fromkeys(("local", "l"), "local"),
    **dict.fromkeys(("b36", "base36"), "36"),
    **dict.fromkeys(("b62", "base62"), "62"),
    **dict.fromkeys(("help", "man"), "help"),
    **dict.fromkeys(("nolocalhost_number", "no-localhost_number", "no_localhost_number"), "anywhere"),
    **{name: name for name in ("pid", "debug", "nodebug", "no-debug", "version")},
}
_VALUED = {**dict.fromkeys(("b", "base"), "base"), "localhost_number": "host", "c": "", "dexim_path": ""}
_HIGHEST_HOST = 16


class Wrong(Exception):
    """`str()` is the complaint."""

    def __init__(self, text: str, code: int = 255) -> None:
        super().__init__(text)
        self.code = code


class Wish(msgspec.Struct):
    """The command line."""

    flags: set[str] = msgspec.field(default_factory=set)
    values: dict[str, str] = msgspec.field(default_factory=dict)
    ids: list[str] = msgspec.field(default_factory=list)

    @property
    def base(self) -> int:
        """Raises Wrong."""
        if {"36", "62"} <= self.flags:
            raise Wrong("cannot be base36 and base62")
        said = "36" if "36" in self.flags else self.values.get("base", "62")
        if said not in ("36", "62"):
            raise Wrong(f"unknown base option {said}")
        return int(said)

    @property
    def host(self) -> int | None:
        """`localhost_number`. Raises Wrong."""
        said = self.values.get("host", "none")
        if "anywhere" in self.flags or said == "none":
            return None
        if not said.isdecimal():
            raise Wrong("localhost_number must be a number >=0")
        if int(said) > _HIGHEST_HOST:
            raise Wrong("localhost_number > 16")
        return int(said)


def main() -> None:
    carry_out(run)


def run(arguments: list[str]) -> int:
    try:
        wish = read_arguments(arguments)
        if "help" in wish.flags:
            print(f"{USAGE}{OPTIONS}", end="")
            return 0
        base, host = wish.base, wish.host
        for message_id in wish.ids:
            _tell(message_id, wish, base, host)
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        return wrong.code
    return 0


def read_arguments(arguments: list[str]) -> Wish:
    """Raises Wrong."""
    wish = Wish()
    words = iter(arguments)
    for word in words:
        if not word.startswith("-") or word == "-":
            wish.ids.append(word)
            continue
        name, _, value = word.lstrip("-").partition("=")
        full = _full_name(name.lower())
        if full in _FLAGS:
            wish.flags.add(_FLAGS[full])
        else:
            wish.values[_VALUED[full]] = value or next(words, "")
    return wish


def _full_name(name: str) -> str:
    """Raises Wrong."""
    known = _FLAGS.keys() | _VALUED.keys()
    if name in known:
        return name
    meant = {_FLAGS.get(each, each): each for each in known if each.startswith(name)}
    if len(meant) != 1:
        raise Wrong(
            f"{'Option' if meant else 'Unknown option:'} {name}{' is ambiguous' if meant else ''}\n{USAGE}", 2
        )
    return next(iter(meant.values()))


def _tell(message_id: str, wish: Wish, base: int, host: int | None) -> None:
    """A line for each form of the time that is wanted. Raises Wrong."""
    found = _ID.fullmatch(message_id)
    if found is None:
        print(f"{message_id} not parsed", file=sys.stderr)
        return
    seconds = _number(found[1], base)
    process, fraction = found[2] or found[4], found[3] or found[5]
    places = _fraction(_number(fraction, base), base, host, is_new=bool(found[3])) if fraction else 0
    tail = f"\tpid {_number(process, base)}" if "pid" in wish.flags and process else ""
    for shown in _forms(seconds, places, wish.flags):
        print(f"{shown}{tail}")


def _fraction(number: int, base: int, host: int | None, *, is_new: bool) -> int:
    """Microseconds. The third part counts in steps that its width and base allow, in coarser ones with a host's number (Exim 3.4)."""
    step = (1 if is_new else 500) * (1 if base == 62 else 2)
    if host is None:
        return number * step
    step *= 2 if is_new else 10
    said, left = divmod(number, 1_000_000 // step)
    if said != host:
        print(f"localhost {said} from message-id != given number {host}", file=sys.stderr)
    return left * step


def _forms(seconds: int, fraction: int, flags: set[str]) -> Iterator[str]:
    if "unix" in flags:
        yield f"{seconds}.{fraction:06d}"
    if "utc" in flags:
        yield f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(seconds))}.{fraction:06d}"
    if "local" in flags or not flags & {"unix", "utc"}:
        local = time.localtime(seconds)
        yield f"{time.strftime('%Y-%m-%d %H:%M:%S', local)}.{fraction:06d} {local.tm_zone}"


def _number(text: str, base: int) -> int:
    """Raises Wrong. In base 36 the digits are 0-9 and A-Z."""
    number = 0
    for letter in text:
        digit = _DIGITS.index(letter)
        if digit >= base:
            raise Wrong(f"{text} is not base {base}")
        number = number * base + digit
    return number


_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

if __name__ == "__main__":
    main()
