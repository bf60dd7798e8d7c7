"""Options about the message that is submitted: its sender, where it comes from, how errors are told, when it is delivered (Exim 5.3)."""

from __future__ import annotations

from pillarbox.cli.arguments import Arguments, Usage
from pillarbox.cli.handles import MESSAGE_ID, Words, check_time, next_word, unknown

_NOTIFY = frozenset(("NEVER", "SUCCESS", "FAILURE", "DELAY"))


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
    if attached == "m":
        if not MESSAGE_ID.fullmatch(value):
            raise Usage("-oMm must be a valid message ID")
        read.reference = value
        return
    if attached == "r" and "r" in read.about:
        raise Usage("received_protocol is set already")
    read.about[attached] = value


def is_address(text: str) -> bool:
    """Perhaps with a port: `10.1.2.3.25`, `[10.1.2.3]:25`."""
    from ipaddress import ip_address

    from pillarbox.flow.accept.local.origin import split_port

    try:
        ip_address(split_port(text)[0])
    except ValueError:
        return False
    return True


def status_notifications(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-oDSN N=…`, `R=…`, `V=…` (RFC 3461)."""
    value = attached.removeprefix("=") or next_word(rest, Usage(f"string expected after {word}"))
    letter, _, text = value.partition("=")
    match letter.upper():
        case "N":
            wanted = tuple(part.upper() for part in text.split(",") if part)
            if not _NOTIFY.issuperset(wanted):
                raise Usage("DSN NOTIFY bad value")
            if "NEVER" in wanted and len(wanted) > 1:
                raise Usage("DSN NOTIFY=never may not be combined")
            read.notify = wanted
        case "R":
            if text.upper() not in ("FULL", "HDRS"):
                raise Usage("bad value for DSN RET")
            read.ret = text.upper()
        case "V":
            read.envid = text
        case _:
            raise Usage("only subcases N,R,V expected for -oDSN")


def reference(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-E<id>`: it is about that message, as a bounce is."""
    read.tells_of_error = True
    if MESSAGE_ID.fullmatch(attached):
        read.reference = attached


def hops(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-h 3`: nothing looks at it."""
    if not (attached or next_word(rest, unknown(word))).isdigit():
        raise unknown(word)


def body_type(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-B8BITMIME`, `-B 8BITMIME`: we carry eight bits always."""
    if not attached:
        next(rest, None)


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
    read.receive_timeout = check_time(attached, rest, word)


def smtp_receive_timeout(attached: str, rest: Words, read: Arguments, word: str) -> None:
    read.smtp_receive_timeout = check_time(attached, rest, word)


def protocol(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-p smtp:host`; `-pd` and `-ps` are Perl's."""
    if attached in ("d", "s"):
        return
    value = attached or next_word(rest, Usage(f"bad item for: {word}"))
    read.about["r"], _, host = value.partition(":")
    if host:
        read.about["s"] = host
