"""The commands of POP3: when they may come and which arguments they take."""

from __future__ import annotations

import enum
import re

import msgspec


class State(enum.Enum):
    """RFC 1939 §3."""

    AUTHORIZATION = "authorization"
    TRANSACTION = "transaction"


class Command(msgspec.Struct, frozen=True, gc=False):
    """`verb` in upper case; `numbers` for verbs whose arguments are numbers, `text` for the others."""

    verb: str
    text: str = ""
    numbers: tuple[int, ...] = ()


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """The line is no command that may come now. `text` for the peer."""

    text: str


class SaslResponse(msgspec.Struct, frozen=True, gc=False):
    """The client's answer to a challenge, still in base64. `is_cancelled`: it was `*`."""

    data: bytes
    is_cancelled: bool = False


Event = Command | Rejected | SaslResponse


class _Rule(msgspec.Struct, frozen=True, gc=False):
    states: frozenset[State]
    arguments: re.Pattern[str]
    are_numbers: bool = False


_NONE = re.compile(r"")
_NUMBER = r"0*[1-9][0-9]{0,9}"
_LOGIN, _MAIL = frozenset({State.AUTHORIZATION}), frozenset({State.TRANSACTION})
_RULES = {
    "USER": _Rule(_LOGIN, re.compile(r".+")),
    "PASS": _Rule(_LOGIN, re.compile(r".*")),  # spaces belong to the password (RFC 1939 §7)
    "AUTH": _Rule(_LOGIN, re.compile(r"(?:\S+(?: \S+)?)?")),
    "STLS": _Rule(_LOGIN, _NONE),
    "CAPA": _Rule(_LOGIN | _MAIL, _NONE),
    "QUIT": _Rule(_LOGIN | _MAIL, _NONE),
    "STAT": _Rule(_MAIL, _NONE),
    "LIST": _Rule(_MAIL, re.compile(f"(?:{_NUMBER})?"), are_numbers=True),
    "UIDL": _Rule(_MAIL, re.compile(f"(?:{_NUMBER})?"), are_numbers=True),
    "RETR": _Rule(_MAIL, re.compile(_NUMBER), are_numbers=True),
    "DELE": _Rule(_MAIL, re.compile(_NUMBER), are_numbers=True),
    "TOP": _Rule(_MAIL, re.compile(rf"{_NUMBER} +[0-9]{{1,10}}"), are_numbers=True),
    "NOOP": _Rule(_MAIL, _NONE),
    "RSET": _Rule(_MAIL, _NONE),
}


def parse(line: bytes, state: State) -> Command | Rejected:
    """One line without its line end."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return Rejected("The command is not in UTF-8")
    if "\0" in text or "\r" in text:
        return Rejected("The command has a NUL or a bare CR")
    verb, _, argument = text.partition(" ")
    verb = verb.upper()
    rule = _RULES.get(verb)
    if rule is None:
        return Rejected("Unknown command")
    if state not in rule.states:
        return Rejected("Log in first" if state is State.AUTHORIZATION else "You have logged in already")
    if verb != "PASS":
        argument = argument.strip(" ")
    if rule.arguments.fullmatch(argument) is None:
        return Rejected(f"Wrong arguments for {verb}")
    if rule.are_numbers:
        return Command(verb, numbers=tuple(int(number) for number in argument.split()))
    return Command(verb, argument)
