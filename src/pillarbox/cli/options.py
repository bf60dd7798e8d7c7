"""Reading Exim's options: each is a function of what is attached to it and of the words behind it (Exim 5.3).

The longest prefix that fits decides. Options end at the first word that is not one, as with Exim; what follows belongs to the mode. What Exim
accepts for Sendmail's sake and ignores is accepted and ignored here.

Gap: `-MC…` (calls of Exim's processes among themselves) does not exist here.
"""

from __future__ import annotations

import re

from pillarbox.app.harness import is_test_harness
from pillarbox.cli.arguments import CHANGES, VIEWS, Arguments, Unreadable, Usage
from pillarbox.cli.debug_options import debug
from pillarbox.cli.handles import (
    Handle,
    Words,
    choose,
    expected,
    flag,
    ignore,
    next_word,
    text,
    unknown,
)
from pillarbox.cli.message_options import (
    about,
    batch,
    body_type,
    delivery,
    errors,
    hops,
    protocol,
    receive_timeout,
    reference,
    sender,
    smtp_receive_timeout,
    status_notifications,
)
from pillarbox.cli.mode_options import (
    filters,
    host_test,
    inquire,
    listing,
    load_message,
    load_queued,
    log_text,
    malware,
    move,
    on_demand,
    waiting_daemon,
)
from pillarbox.cli.queue_options import WITH_QUEUE, matching, queue_run

_LONGEST_SYSLOG_NAME = 32
_MACRO = re.compile(r"([A-Z]\w*)\s*(?:=(.*))?", re.DOTALL | re.ASCII)


def parse(arguments: list[str], program: str) -> Arguments:
    """Raises Usage."""
    read = Arguments(program)
    rest = Words(arguments)
    for word in rest:
        if word == "--":
            break
        if word == "--help":  # whatever stands beside it
            read.mode = "usage"
            return read
        if not word.startswith("-") or word == "":
            read.words.append(word)
            break
        _option(word, rest, read)
    read.words.extend(rest)
    _check(read)
    return read


def _option(word: str, rest: Words, read: Arguments) -> None:
    plain = _PLAIN.get(word)
    if plain is not None:
        plain(word, rest, read, word)
        return
    for prefix, handle in _PREFIXED:
        if word.startswith(prefix):
            handle(word[len(prefix) :], rest, read, word)
            return
    raise unknown(word)


def _check(read: Arguments) -> None:
    """Combinations that make no sense. A line for the log is written whatever else is said."""
    words = read.words
    if read.log_line is not None:
        read.mode = "log_line"
        return
    if read.queue.regular and read.mode not in ("", *_DAEMONS):
        raise Usage("incompatible command-line options or arguments")
    if read.mode in _NEED_IDS and not words:
        raise Usage(f"no message ids given after {read.mode_option} option")
    if read.loaded_id is not None and read.mode != "expand":
        raise Usage("incompatible command-line options or arguments")
    if read.sender is not None and read.mode in ("smtp", "batch_smtp"):
        raise Usage("incompatible command-line options or arguments")
    is_run = read.queue.is_wanted and not (read.queue.name and read.mode in WITH_QUEUE)
    has_message = bool(words) or read.extract
    if read.mode == "waiting_daemon" and read.queue.regular:
        raise Usage("incompatible command-line options or arguments")
    if read.mode in (*_DAEMONS, "newaliases") or (not read.mode and read.queue.regular):
        if has_message or (is_run and read.mode and not read.queue.regular):
            raise Usage("incompatible command-line options or arguments")
    elif (is_run and (has_message or (read.mode and read.mode not in WITH_QUEUE))) or (
        read.extract and read.mode not in ("", "submit", "expand")
    ):
        raise Usage("incompatible command-line options or arguments")
    if read.mode in ("", "submit"):
        read.mode = _unsaid_mode(read)


def _unsaid_mode(read: Arguments) -> str:
    if read.queue.is_wanted:
        return "queue_run"
    if read.queue.regular:
        return "queue_daemon"
    return "submit" if read.words or read.extract else "usage"


_DAEMONS = ("daemon", "daemon_foreground", "waiting_daemon")
_NEED_IDS = CHANGES | VIEWS | {"deliver", "deliver_due"}


def _define(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-DNAME=value`; a macro that the command line defines keeps its value whatever the file says (Exim 6.7)."""
    if not "A" <= attached[:1] <= "Z":
        raise Unreadable("macro name set by -D must start with an upper case letter")
    found = _MACRO.fullmatch(attached)
    if found is None:
        raise unknown(word)
    name, value = found.group(1), (found.group(2) or "").strip()
    if name in read.macros:
        raise Unreadable("duplicated -D in command line")
    read.macros[name] = value


def _pid_file(attached: str, rest: Words, read: Arguments, word: str) -> None:
    if attached == "X":
        choose("remove_pid_file")(attached, rest, read, word)
    elif attached:
        raise unknown(word)
    else:
        read.pid_file = next_word(rest, unknown(word))


def _syslog_name(attached: str, rest: Words, read: Arguments, word: str) -> None:
    name = attached or next_word(rest, unknown(word))
    if not name:
        raise Usage("the -L syslog name is too short")
    if len(name) > _LONGEST_SYSLOG_NAME:
        raise Usage(f'the -L syslog name is too long: "{name}"')
    read.syslog_name = name


def _test_ages(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-Tqt a/b/c`."""
    if attached != "qt" or not is_test_harness():
        raise unknown(word)
    read.test_ages = next_word(rest, unknown(word))


def _optional_sendmail(attached: str, rest: Words, read: Arguments, word: str) -> None:
    if attached not in ("c", "m"):
        raise unknown(word)


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
    "--version": choose("version"),
    **{f"-b{name}": choose(mode) for name, mode in _B_MODES.items()},
    **{f"-M{name}": choose(mode) for name, mode in _MESSAGE_MODES.items()},
    "-Mset": load_queued,
    "-MG": move,
    "-bem": load_message,
    "-bh": host_test,
    "-bmalware": malware,
    "-bhc": host_test,
    "-atrn": on_demand,
    "-bnq": flag("keeps_unqualified", True),
    **{f"-b{name}": filters for name in ("f", "F", "fd", "fl", "fp", "fs")},
    "-i": flag("dot_ends", False),
    "-t": flag("extract", True),
    "-ti": lambda attached, rest, read, word: _both(read),
    "-tls-on-connect": flag("is_tls_on_connect", True),
    "-m": ignore,
    "-n": flag("without_names", True),
    "-N": lambda attached, rest, read, word: _dry(read),
    "-G": flag("suppresses_fixups", True),
    "-v": flag("is_verbose", True),
    "-x": ignore,
    "-z": log_text,
    "-oX": lambda attached, rest, read, word: text("listen_ports")("", rest, read, word),
    "-oi": flag("dot_ends", False),
    "-oitrue": flag("dot_ends", False),
    "-om": ignore,
    "-oo": ignore,
    "-ov": flag("is_verbose", True),
    "-oY": ignore,
}


def _both(read: Arguments) -> None:
    read.extract, read.dot_ends = True, False


def _dry(read: Arguments) -> None:
    read.is_dry = read.is_verbose = True


_PREFIXED: tuple[tuple[str, Handle], ...] = (
    ("--data=", text("data")),
    ("--data", text("data")),
    ("--config=", text("config")),
    ("--config", text("config")),
    ("-bI:", inquire),
    ("-bw", waiting_daemon),
    ("-bp", listing),
    ("-oA", expected("alias_file")),
    ("-oB", batch),
    ("-od", delivery),
    ("-oe", errors),
    ("-oDSN", status_notifications),
    ("-oM", about),
    ("-oP", _pid_file),
    ("-or", receive_timeout),
    ("-os", smtp_receive_timeout),
    ("-A", _optional_sendmail),
    ("-B", body_type),
    ("-C", text("config")),
    ("-D", _define),
    ("-d", debug),
    ("-E", reference),
    ("-e", errors),
    ("-F", text("full_name")),
    ("-f", sender),
    ("-G", flag("suppresses_fixups", True)),
    ("-h", hops),
    ("-L", _syslog_name),
    ("-O", expected("")),
    ("-p", protocol),
    ("-q", queue_run),
    ("-R", matching("recipient")),
    ("-r", sender),
    ("-S", matching("sender")),
    ("-T", _test_ages),
    ("-U", ignore),
    ("-X", expected("")),
)
