"""Reading Exim's options: each is a function of what is attached to it and of the words behind it (Exim 5.3).

The longest prefix that fits decides. Options end at the first word that is not one, as with Exim; what follows belongs to the mode. What Exim
accepts for Sendmail's sake and ignores is accepted and ignored here.

Gap: `-MC…` and `-bw` (internal calls of Exim's processes, and inetd's wait mode) do not exist here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from pillarbox.cli.arguments import Arguments, Unreadable, Usage

_MACRO = re.compile(r"([A-Z]\w*)\s*(?:=(.*))?", re.DOTALL | re.ASCII)
_TIME = re.compile(r"(?:\d+[wdhms])+", re.ASCII)
_QUEUE_FLAGS = re.compile(r"(q?)(i?)(f{0,2})(l?)(?:G([^/]*)(?:/(.*))?|(.*))", re.DOTALL)
_MATCH_FLAGS = re.compile(r"(f{0,2})(r?)")
Handle = Callable[[str, Iterator[str], Arguments, str], None]
"""(what is attached, the words behind it, what is read so far, the whole option)"""


def parse(arguments: list[str], program: str) -> Arguments:
    """Raises Usage."""
    read = Arguments(program)
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            break
        if not word.startswith("-") or word == "":
            read.words.append(word)
            break
        _option(word, rest, read)
    read.words.extend(rest)
    _check(read)
    return read


def is_test_harness() -> bool:
    """Whether a harness that was written for Exim drives us."""
    return os.environ.get("EXIM_TEST_HARNESS") == "1"


def _option(word: str, rest: Iterator[str], read: Arguments) -> None:
    plain = _PLAIN.get(word)
    if plain is not None:
        plain(word, rest, read, word)
        return
    for prefix, handle in _PREFIXED:
        if word.startswith(prefix):
            handle(word[len(prefix) :], rest, read, word)
            return
    raise _unknown(word)


def _unknown(word: str) -> Unreadable:
    return Unreadable(f"unknown, malformed, or incomplete option {word}\n")


def _check(read: Arguments) -> None:
    """Combinations that make no sense."""
    words = read.words
    if read.mode in _NEED_IDS and not words:
        raise Usage(f"no message ids given after {read.mode_option} option")
    if read.loaded_id is not None and read.mode != "expand":
        raise Usage("incompatible command-line options or arguments")
    is_run = read.queue.is_wanted
    has_message = bool(words) or read.extract
    if read.mode in ("daemon", "daemon_foreground", "newaliases") or (not read.mode and read.queue.interval):
        if has_message or is_run:
            raise Usage("incompatible command-line options or arguments")
    elif (is_run and (has_message or (read.mode and read.mode not in _WITH_QUEUE))) or (
        read.extract and read.mode not in ("", "submit", "expand")
    ):
        raise Usage("incompatible command-line options or arguments")
    if not read.mode:
        read.mode = _unsaid_mode(read)


def _unsaid_mode(read: Arguments) -> str:
    if read.queue.is_wanted:
        return "queue_run"
    if read.queue.interval:
        return "queue_daemon"
    return "submit" if read.words or read.extract else "usage"


_NEED_IDS = frozenset(
    (
        "deliver",
        "deliver_due",
        "freeze",
        "thaw",
        "remove",
        "give_up",
        "mark_delivered",
        "mark_all_delivered",
        "add_recipient",
        "edit_sender",
        "move",
        "view_headers",
        "view_body",
        "view_log",
        "view_copy",
    )
)
_WITH_QUEUE = frozenset(("list", "count", "move", "deliver"))
"""Modes that look into a named queue."""


# Values


def _next(rest: Iterator[str], complaint: Usage) -> str:
    value = next(rest, None)
    if value is None:
        raise complaint
    return value


def _text(field: str) -> Handle:
    """A value, attached or the next word."""

    def handle(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
        setattr(read, field, attached or _next(rest, _unknown(word)))

    return handle


def _expected(field: str, what: str = "string") -> Handle:
    """The same, with the other complaint that Exim has."""

    def handle(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
        value = attached or _next(rest, Usage(f"{what} expected after {word}"))
        if field:
            setattr(read, field, value)

    return handle


def _flag(field: str, value: object) -> Handle:
    def handle(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
        setattr(read, field, value)

    return handle


def _ignore(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    """For Sendmail's sake."""


def _ignore_value(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    if not attached:
        next(rest, None)


def _mode(mode: str) -> Handle:
    def handle(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
        if read.mode and read.mode != mode and {read.mode, mode} != {"expand", "load"}:
            raise Usage("incompatible command-line options or arguments")
        read.mode, read.mode_option = mode, word

    return handle


def _time(attached: str, rest: Iterator[str], word: str) -> str:
    value = attached or next(rest, word)
    if not _TIME.fullmatch(value):
        raise Usage(f"bad time value {word if attached else value}: abandoned")
    return value


def _sender(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    """`-f ''` and `-f '<>'` are the null sender."""
    if attached:
        read.sender = attached
    else:
        read.sender = _next(rest, _unknown(word))


def _define(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    """`-DNAME=value`; a macro that the command line defines keeps its value whatever the file says (Exim 6.7)."""
    if not "A" <= attached[:1] <= "Z":
        raise Unreadable("macro name set by -D must start with an upper case letter")
    found = _MACRO.fullmatch(attached)
    if found is None:
        raise _unknown(word)
    name, value = found.group(1), (found.group(2) or "").strip()
    if name in read.macros:
        raise Unreadable(f"duplicated -D in command line: {name}")
    read.macros[name] = value


# -b


def _list(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    letters = word[3:]
    if letters == "c":
        _mode("count")(attached, rest, read, word)
        return
    if not re.fullmatch(r"r?[aui]?", letters):
        raise _unknown(word)
    _mode("list")(attached, rest, read, word)
    read.listing_order = letters


def _load_message(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    read.message = _next(rest, _unknown(word))
    _mode("expand")(attached, rest, read, word)


def _filter(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    """`-bf FILE`, `-bF FILE`, and what is said of the recipient."""
    name = word[2:]
    value = _next(rest, Usage(f"{'file name' if len(name) == 1 else 'string'} expected after {word}"))
    match name:
        case "f":
            read.mode, read.user_filter = "filter", value
        case "F":
            read.mode, read.system_filter = "filter", value
        case _:
            read.filter_recipient = {**read.filter_recipient, name[1]: value}


def _host_test(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    read.host_test = _next(rest, _unknown(word))
    _mode("host_test" if word == "-bh" else "host_test_callouts")(attached, rest, read, word)


def _inquire(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    read.topic = attached
    _mode("inquire")(attached, rest, read, word)


# -M


def _load_queued(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    read.loaded_id = _next(rest, Usage(f"no message ids given after {word} option"))


def _move(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    read.destination_queue = _next(rest, Usage(f"bad item for: {word}"))
    _mode("move")(attached, rest, read, word)


# -o


def _about(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    """`-oM…`: what a trusted caller knows of where the message comes from."""
    value = _next(rest, Usage(f"data expected after {word}"))
    if attached not in ("a", "aa", "ai", "as", "i", "m", "r", "s", "t"):
        raise _unknown(word)
    if attached == "r" and "r" in read.about:
        raise Usage("received_protocol is set already")
    read.about[attached] = value


def _delivery(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    if attached not in ("b", "i", "f", "q", "qs"):
        raise _unknown(word)
    read.delivery = "i" if attached == "f" else attached


def _errors(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    if attached not in ("e", "m", "p", "q", "w"):
        raise _unknown(word)
    read.errors_to_stderr = attached


def _batch(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    """`-oB 10`: messages a connection; it is the number's form alone that is looked at."""
    if attached and not attached.isdigit():
        raise Usage(f"number expected after {word[:3]}")
    if not attached:
        following = list(rest)
        if following and following[0].isdigit():
            following = following[1:]
        _push_back(read, following)


def _push_back(read: Arguments, words: list[str]) -> None:
    """Read on behind an optional value."""
    nested = iter(words)
    for word in nested:
        if word == "--":
            break
        if not word.startswith("-"):
            read.words.append(word)
            break
        _option(word, nested, read)
    read.words.extend(nested)


def _receive_timeout(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    _time(attached, rest, word)


def _pid_file(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    if attached == "X":
        read.remove_pid_file = True
    elif attached:
        raise _unknown(word)
    else:
        read.pid_file = _next(rest, _unknown(word))


# -p, -q, -R, -S


def _protocol(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    """`-p smtp:host`; `-pd` and `-ps` are Perl's."""
    if attached in ("d", "s"):
        return
    value = attached or _next(rest, Usage(f"bad item for: {word}"))
    protocol, _, host = value.partition(":")
    read.about["r"] = protocol
    if host:
        read.about["s"] = host


def _queue(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    found = _QUEUE_FLAGS.fullmatch(attached)
    assert found is not None
    wish = read.queue
    wish.is_two_stage |= bool(found[1])
    wish.first_only |= bool(found[2])
    wish.force |= bool(found[3])
    wish.force_frozen |= found[3] == "ff"
    wish.local_only |= bool(found[4])
    wish.name = found[5] or wish.name
    interval = found[6] or found[7] or ""
    if interval:
        if not _TIME.fullmatch(interval):
            raise Usage(f"bad time value {word}: abandoned")
        wish.interval = interval
        return
    if found[5] is not None and read.mode in _WITH_QUEUE:
        return
    wish.is_wanted = True
    ids = list(rest)
    for field in ("first_id", "last_id"):
        if ids and not ids[0].startswith("-"):
            if not _MESSAGE_ID.fullmatch(ids[0]):
                raise _unknown(word)
            setattr(wish, field, ids.pop(0))
    _push_back(read, ids)


_MESSAGE_ID = re.compile(r"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})")


def _matching(field: str) -> Handle:
    """`-R` and `-S` with their flags: `-Rff text`, `-Rr expression`."""

    def handle(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
        found = _MATCH_FLAGS.match(attached)
        assert found is not None
        wish = read.queue
        wish.is_wanted = True
        wish.force |= bool(found[1])
        wish.force_frozen |= found[1] == "ff"
        setattr(wish, f"is_regular_{field}", bool(found[2]))
        value = attached[found.end() :] or _next(rest, Usage(f"string expected after {word[:2]}"))
        setattr(wish, field, value)

    return handle


def _test_ages(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    """`-Tqt a/b/c`."""
    if attached != "qt" or not is_test_harness():
        raise _unknown(word)
    read.test_ages = _next(rest, _unknown(word))


def _debug(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    read.debug = attached.removeprefix("d")


def _optional_sendmail(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    if attached not in ("c", "m"):
        raise _unknown(word)


def _log_text(attached: str, rest: Iterator[str], read: Arguments, word: str) -> None:
    read.log_line = _next(rest, Usage(f"file name expected after {word}"))
    _mode("log_line")(attached, rest, read, word)


_B_MODES = {
    "m": "submit",
    "d": "daemon",
    "df": "daemon_foreground",
    "s": "smtp",
    "S": "batch_smtp",
    "t": "route",
    "v": "verify",
    "vs": "verify_sender",
    "P": "print_config",
    "e": "expand",
    "i": "newaliases",
    "rt": "retry",
    "rw": "rewrite",
    "V": "version",
}
_MESSAGE_MODES = {
    "": "deliver",
    "c": "deliver_due",
    "f": "freeze",
    "t": "thaw",
    "rm": "remove",
    "g": "give_up",
    "vh": "view_headers",
    "vb": "view_body",
    "vl": "view_log",
    "vc": "view_copy",
    "md": "mark_delivered",
    "ar": "add_recipient",
    "mad": "mark_all_delivered",
    "es": "edit_sender",
}
_PLAIN: dict[str, Handle] = {
    "--help": _mode("usage"),
    "-?": _mode("usage"),
    "--version": _mode("version"),
    **{f"-b{name}": _mode(mode) for name, mode in _B_MODES.items()},
    **{f"-M{name}": _mode(mode) for name, mode in _MESSAGE_MODES.items()},
    "-Mset": _load_queued,
    "-MG": _move,
    "-bem": _load_message,
    "-bh": _host_test,
    "-bhc": _host_test,
    "-bnq": _flag("keeps_unqualified", True),
    **{f"-b{name}": _filter for name in ("f", "F", "fd", "fl", "fp", "fs")},
    "-i": _flag("dot_ends", False),
    "-t": _flag("extract", True),
    "-ti": lambda attached, rest, read, word: _both(read),
    "-m": _ignore,
    "-n": _flag("without_names", True),
    "-N": lambda attached, rest, read, word: _dry(read),
    "-G": _flag("suppresses_fixups", True),
    "-v": _flag("is_verbose", True),
    "-x": _ignore,
    "-oi": _flag("dot_ends", False),
    "-oitrue": _flag("dot_ends", False),
    "-om": _ignore,
    "-oo": _ignore,
    "-ov": _flag("is_verbose", True),
    "-oY": _ignore,
}


def _both(read: Arguments) -> None:
    read.extract, read.dot_ends = True, False


def _dry(read: Arguments) -> None:
    read.is_dry = read.is_verbose = True


_PREFIXED: tuple[tuple[str, Handle], ...] = (
    ("--data=", _text("data")),
    ("--data", _text("data")),
    ("--config=", _text("config")),
    ("--config", _text("config")),
    ("-bI:", _inquire),
    ("-bp", _list),
    ("-oA", _expected("alias_file")),
    ("-oB", _batch),
    ("-od", _delivery),
    ("-oe", _errors),
    ("-oM", _about),
    ("-oP", _pid_file),
    ("-or", _receive_timeout),
    ("-os", _receive_timeout),
    ("-oX", _text("listen_ports")),
    ("-A", _optional_sendmail),
    ("-B", _ignore),
    ("-C", _text("config")),
    ("-D", _define),
    ("-d", _debug),
    ("-E", _ignore),
    ("-e", _errors),
    ("-F", _text("full_name")),
    ("-f", _sender),
    ("-h", _text("hops")),
    ("-L", _text("syslog_name")),
    ("-O", _expected("")),
    ("-p", _protocol),
    ("-q", _queue),
    ("-R", _matching("recipient")),
    ("-r", _sender),
    ("-S", _matching("sender")),
    ("-T", _test_ages),
    ("-U", _ignore),
    ("-X", _expected("")),
    ("-z", _log_text),
)
