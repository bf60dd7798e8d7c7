"""Options that choose what is done, and have values of their own: some of `-b…` and `-M…` (Exim 5.3)."""

from __future__ import annotations

import re

from pillarbox.cli.arguments import Arguments, Usage
from pillarbox.cli.handles import TIME, Words, choose, next_word, unknown


def listing(attached: str, rest: Words, read: Arguments, word: str) -> None:
    letters = word[3:]
    if letters == "c" and read.mode == "list":
        return
    if letters == "c":
        choose("count")(attached, rest, read, word)
        return
    if not re.fullmatch(r"r?[aui]?", letters):
        raise unknown(word)
    choose("list")(attached, rest, read, word)
    read.listing_order = letters


def load_message(attached: str, rest: Words, read: Arguments, word: str) -> None:
    read.message = next_word(rest, unknown(word))
    choose("expand")(attached, rest, read, word)


def filters(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-bf FILE`, `-bF FILE`, and what is said of the recipient."""
    name = word[2:]
    value = next_word(rest, Usage(f"{'file name' if len(name) == 1 else 'string'} expected after {word}"))
    match name:
        case "f":
            read.mode, read.user_filter = "filter", value
        case "F":
            read.mode, read.system_filter = "filter", value
        case _:
            read.filter_recipient = {**read.filter_recipient, name[1]: value}


def malware(attached: str, rest: Words, read: Arguments, word: str) -> None:
    read.scanned_file = next_word(rest, unknown(word))
    choose("malware")(attached, rest, read, word)


def host_test(attached: str, rest: Words, read: Arguments, word: str) -> None:
    read.host_test = next_word(rest, unknown(word))
    choose("host_test" if word == "-bh" else "host_test_callouts")(attached, rest, read, word)


def inquire(attached: str, rest: Words, read: Arguments, word: str) -> None:
    read.topic = attached
    choose("inquire")(attached, rest, read, word)


def load_queued(attached: str, rest: Words, read: Arguments, word: str) -> None:
    read.loaded_id = next_word(rest, Usage(f"no message ids given after {word} option"))


def move(attached: str, rest: Words, read: Arguments, word: str) -> None:
    read.destination_queue = next_word(rest, Usage(f"bad item for: {word}"))
    choose("move")(attached, rest, read, word)


def waiting_daemon(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-bw`, `-bw1h`: a daemon on the socket that inetd listens on."""
    if attached and not TIME.fullmatch(attached):
        raise Usage(f"bad time value {word}: abandoned")
    read.idle_end = attached
    choose("waiting_daemon")(attached, rest, read, word)


def on_demand(attached: str, rest: Words, read: Arguments, word: str) -> None:
    """`-atrn host domains`: fetch our mail."""
    complaint = Usage("host and domainlist expected after -atrn")
    read.provider = (next_word(rest, complaint), next_word(rest, complaint))
    choose("on_demand")(attached, rest, read, word)


def log_text(attached: str, rest: Words, read: Arguments, word: str) -> None:
    read.log_line = next_word(rest, Usage(f"file name expected after {word}"))
