"""pillarbox(8), from the command's own parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from pillarbox.cli.main import make_parser, sentence
from pillarbox.cli.manual.roff import Item, Page, Section

_FILES = (
    ("./var, /var/lib/pillarbox", "Data folders: for somebody who tries it, for root."),
    (
        "pillarbox.conf",
        "The configuration, in Exim's language: pillarbox.conf(5). Where none is named it is the first of $PILLARBOX_CONFIG, "
        "./var/pillarbox.conf where nobody else may write, var beside the virtual environment, /var/lib/pillarbox, /etc/pillarbox, and "
        "the places where distributions put Exim's.",
    ),
    ("accounts", "Who may log in: names and hashes of passwords."),
    ("spool/", "What waits. In Exim's format; exim(8) lists and changes it."),
    ("log/mainlog, log/rejectlog, log/paniclog", "The logs, as Exim has them."),
)


def command_page() -> Page:
    parser = make_parser()
    commands = list(_commands("pillarbox", parser))
    sections = [
        Section(
            "Description",
            (
                "The whole mail server in one package: it receives, routes and delivers mail as Exim does, keeps mailboxes, and serves them by "
                "POP3 and IMAP. `pillarbox serve` is all that is needed to begin with.",
            ),
        ),
        *(
            Section(name, (sentence(one.description or ""),), tuple(_options(one)))
            for name, one in commands
            if one.description or list(_options(one))
        ),
        Section("Files", (), tuple(Item(term, text) for term, text in _FILES)),
    ]
    synopsis = tuple(" ".join(one.format_usage().removeprefix("usage: ").split()) for _, one in commands)
    see = ("pillarbox.conf(5)", "exim(8)", "mailq(1)")
    return Page("pillarbox", 8, "the whole mail server in one package", synopsis, tuple(sections), see)


def _commands(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Those that do something: the leaves."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from _commands(f"{name} {word}", below)
            return
    yield name, parser


def _options(parser: argparse.ArgumentParser) -> Iterator[Item]:
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction) or not action.help:
            continue
        value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
        words = ", ".join(f"{word}{value}" for word in action.option_strings) or value.strip()
        yield Item(words, sentence(action.help))
