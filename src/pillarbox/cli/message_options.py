"""Options about the message that is submitted: its sender, where it comes from, how errors are told, when it is delivered (Exim 5.3)."""

from __future__ import annotations

from pillarbox.cli.arguments import Arguments, Usage
from pillarbox.cli.handles import Words, check_time, next_word, unknown


def sender(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-f ''` and `-f '<>'` are the null sender."""
    if attached:
        read.sender = attached
    else:
        read.sender = next_word(rest, unknown(word))


def about(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-oM…`: what a trusted caller knows of where the message comes from."""
    value = next_word(rest, Usage(f"data expected after {word}"))
    if attached not in ("a", "aa", "ai", "as", "i", "m", "r", "s", "t"):
        raise unknown(word)
    if attached == "r" and "r" in read.about:
        raise Usage("received_protocol is set already")
    read.about[attached] = value


def delivery(attached: str, rest: Words, read: Arguments, word: str) -> None:
    if attached not in ("b", "i", "f", "q", "qs"):
        raise unknown(word)
    read.delivery = "i" if attached == "f" else attached


def errors(attached: str, rest: Words, read: Arguments, word: str) -> None:
    if attached not in ("e", "m", "p", "q", "w"):
        raise unknown(word)
    read.errors_to_stderr = attached


def batch(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-oB 10`: messages a connection; it is the number's form alone that is looked at."""
    if attached and not attached.isdigit():
        raise Usage(f"number expected after {word[:3]}")
    if not attached and (rest.peek() or "").isdigit():
        next(rest)


def receive_timeout(attached: str, rest: Words, read: Arguments, word: str) -> None:
    check_time(attached, rest, word)


def protocol(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-p smtp:host`; `-pd` and `-ps` are Perl's."""
    if attached in ("d", "s"):
        return
    value = attached or next_word(rest, Usage(f"bad item for: {word}"))
    protocol, _, host = value.partition(":")
    read.about["r"] = protocol
    if host:
        read.about["s"] = host
