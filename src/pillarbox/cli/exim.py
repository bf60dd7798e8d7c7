"""`exim` (and `sendmail`, `mailq`, `runq`, `rmail`): Exim's command line, as scripts use it (Exim chapter 5).

Each mode is a function in `modes`; this file only reads the arguments. What is not supported is refused by name, never ignored, except
for sendmail's historical options that Exim ignores too.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator

from pillarbox.cli.quick import delay_imports

_MACRO = re.compile(r"([A-Z]\w*)\s*(?:=(.*))?", re.DOTALL | re.ASCII)
HELP = """\
Usage: {program} [options] [recipient ...]

Submitting:      -t  take recipients from the headers     -f SENDER   -F NAME   -i  a dot does not end the message
                 -odq  queue only                         -bm  the default      -bs  SMTP on standard input
Daemon:          -bd  run it   -q30m  queue run interval  -bdf  in the foreground
The queue:       -bp  list (mailq)   -bpc  count          -bpr  unsorted        -bpu  undelivered only
                 -q  run   -qf  force   -qff  frozen too  -R TEXT  -S TEXT  only matching recipients, senders
One message:     -M ID ...   deliver now                  -Mrm ID ...  remove   -Mg ID ...  give up (bounce)
                 -Mf ID ...  freeze                       -Mt ID ...   thaw     -Mvh -Mvb -Mvl -Mvc ID  show
                 -Mmd ID ADDRESS ...  mark delivered      -Mar ID ADDRESS ...   add recipients
Asking:          -bV  version   -bt ADDRESS ...  route    -bP [OPTION ...]  print the configuration
                 -be STRING ...  expand                   -bem FILE  the same with a message loaded
                 -C FILE  another configuration           -DNAME=TEXT  set a macro
"""
IGNORED = ("-B", "-h", "-n", "-N", "-m", "-O", "-p", "-v", "-X", "-e", "-G", "-U", "-x")
"""Sendmail's, without meaning here; those that take a value have it attached."""


class Usage(Exception):
    """The command line cannot be understood; `str()` says why."""


class Unreadable(Usage):
    """As Exim puts it, with its exit code: for the modes in which everything is as Exim prints it."""


class Arguments:
    """The command line, read."""

    def __init__(
        self,
        program: str,
        *,
        words: list[str] | None = None,
        config: str | None = None,
        data: str | None = None,
    ) -> None:
        self.program = program
        self.mode = "submit"
        self.words: list[str] = list(words or ())
        self.config = config
        self.data = data
        self.sender: str | None = None
        self.full_name = ""
        self.dot_ends = True
        self.extract = False
        self.queue_only = False
        self.queue_flags: str | None = None
        self.queue_interval = ""
        self.match_recipient = ""
        self.match_sender = ""
        self.macros: dict[str, str] = {}
        self.message: str | None = None
        """The file of `-bem`."""
        self.user_filter: str | None = None
        self.system_filter: str | None = None
        self.filter_recipient: dict[str, str] = {}
        """`-bfd`, `-bfl`, `-bfp`, `-bfs` by their last letter."""
        self.is_verbose = False
        self.without_names = False
        """`-n` with `-bP`: values alone."""


def main() -> None:
    sys.exit(run(sys.argv[1:], "exim"))


def run(arguments: list[str], program: str) -> int:
    """The exit code."""
    try:
        read = parse(arguments, program)
    except Unreadable as error:
        print(f"exim: {error}", file=sys.stderr)
        return 1
    except Usage as error:
        print(f"{program}: {error}; try {program} --help", file=sys.stderr)
        return 64  # EX_USAGE; importing it would cost the time that is saved below
    if read.mode in _QUESTIONS:
        delay_imports()
    from pillarbox.cli import modes

    try:
        return modes.MODES[read.mode](read)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def parse(arguments: list[str], program: str) -> Arguments:
    """Raises Usage."""
    read = Arguments(program)
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            read.words.extend(rest)
        elif not word.startswith("-") or word == "-":
            read.words.append(word)
            if read.mode in _WORDS_LAST:
                read.words.extend(rest)
        else:
            _option(word, rest, read)
    return read


def _option(word: str, rest: Iterator[str], read: Arguments) -> None:
    if word in ("--help", "-?", "-bh?"):
        read.mode = "help"
        return
    if word in ("--version", "-bV"):
        read.mode = "version"
        return
    for prefix, handle in _OPTIONS:
        if word.startswith(prefix):
            handle(word[len(prefix) :], rest, read)
            return
    if word == "-n":
        read.without_names = True
    elif word == "-v":
        read.is_verbose = True
    elif not word.startswith(IGNORED):
        raise Usage(f"option {word} is not supported")


def _value(attached: str, rest: Iterator[str], name: str) -> str:
    if attached:
        return attached
    try:
        return next(rest)
    except StopIteration:
        raise Usage(f"option {name} needs a value") from None


_MESSAGE_MODES = {
    "": "deliver",
    "c": "deliver",
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
}
_B_MODES = {
    "m": "submit",
    "d": "daemon",
    "df": "daemon_foreground",
    "p": "list",
    "pc": "count",
    "pr": "list",
    "pu": "list_undelivered",
    "pru": "list_undelivered",
    "s": "smtp",
    "t": "route",
    "P": "print_config",
    "e": "expand",
    "i": "newaliases",
    "rt": "retry",
    "rw": "rewrite",
}


_QUESTIONS = ("expand", "print_config", "version")
_WORDS_LAST = ("expand", "print_config")
"""Modes in which everything behind the first word is a word too, options included: so it is with Exim."""


def _message_mode(name: str, rest: Iterator[str], read: Arguments) -> None:
    if name not in _MESSAGE_MODES:
        raise Usage(f"option -M{name} is not supported")
    read.mode = _MESSAGE_MODES[name]


def _b_mode(name: str, rest: Iterator[str], read: Arguments) -> None:
    if name == "em":
        read.mode = "expand"
        read.message = next(rest, None)
        if read.message is None:
            raise Unreadable("unknown, malformed, or incomplete option -bem")
        return
    if name[:1] in ("f", "F") and name != "df":
        _filter_mode(name, rest, read)
        return
    if name not in _B_MODES:
        raise Usage(f"option -b{name} is not supported")
    read.mode = _B_MODES[name]


def _filter_mode(name: str, rest: Iterator[str], read: Arguments) -> None:
    """`-bf FILE`, `-bF FILE`, and what is said of the recipient."""
    if name not in ("f", "F", "fd", "fl", "fp", "fs"):
        raise Unreadable(f"unknown, malformed, or incomplete option -b{name}")
    value = next(rest, None)
    if value is None:
        raise Unreadable(f"{'file name' if name in ('f', 'F') else 'string'} expected after -b{name}")
    match name:
        case "f":
            read.mode, read.user_filter = "filter", value
        case "F":
            read.mode, read.system_filter = "filter", value
        case _:
            read.filter_recipient = {**read.filter_recipient, name[1]: value}


def _queue(text: str, rest: Iterator[str], read: Arguments) -> None:
    if text[:1].isdigit():
        read.queue_interval = text
        return
    read.queue_flags = text
    if read.mode == "submit":
        read.mode = "queue_run"


def _define(text: str, rest: Iterator[str], read: Arguments) -> None:
    """`-DNAME=value`; a macro that the command line defines keeps its value whatever the file says (Exim 6.7)."""
    if not "A" <= text[:1] <= "Z":
        raise Unreadable("macro name set by -D must start with an upper case letter")
    found = _MACRO.fullmatch(text)
    if found is None:
        raise Unreadable(f"unknown, malformed, or incomplete option -D{text}")
    name, value = found.group(1), (found.group(2) or "").strip()
    if name in read.macros:
        raise Unreadable(f"duplicated -D in command line: {name}")
    read.macros[name] = value


def _outgoing(text: str, rest: Iterator[str], read: Arguments) -> None:
    """`-o…`: of these only `-odq` and `-oi` mean something here."""
    if text == "dq":
        read.queue_only = True
    elif text == "i":
        read.dot_ends = False


def _set(field: str, name: str) -> Callable[[str, Iterator[str], Arguments], None]:
    def handle(attached: str, rest: Iterator[str], read: Arguments) -> None:
        setattr(read, field, _value(attached, rest, name))

    return handle


def _matching(field: str, name: str) -> Callable[[str, Iterator[str], Arguments], None]:
    """`-R` and `-S` with their flags: `-Rff text`."""

    def handle(attached: str, rest: Iterator[str], read: Arguments) -> None:
        read.queue_flags = (read.queue_flags or "") + attached.replace("r", "")
        setattr(read, field, _value("", rest, name))
        read.mode = "queue_run"

    return handle


def _flag(field: str, value: bool) -> Callable[[str, Iterator[str], Arguments], None]:
    def handle(attached: str, rest: Iterator[str], read: Arguments) -> None:
        setattr(read, field, value)

    return handle


def _sender(attached: str, rest: Iterator[str], read: Arguments) -> None:
    """`-f ''` and `-f '<>'` are the null sender."""
    read.sender = attached or _value("", rest, "-f")


_OPTIONS: tuple[tuple[str, Callable[[str, Iterator[str], Arguments], None]], ...] = (
    ("--data=", _set("data", "--data")),
    ("--data", _set("data", "--data")),
    ("--config=", _set("config", "--config")),
    ("--config", _set("config", "--config")),
    ("-C", _set("config", "-C")),
    ("-D", _define),
    ("-M", _message_mode),
    ("-b", _b_mode),
    ("-q", _queue),
    ("-R", _matching("match_recipient", "-R")),
    ("-S", _matching("match_sender", "-S")),
    ("-o", _outgoing),
    ("-f", _sender),
    ("-r", _sender),
    ("-F", _set("full_name", "-F")),
    ("-t", _flag("extract", True)),
    ("-i", _flag("dot_ends", False)),
)
