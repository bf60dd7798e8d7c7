"""All manual pages: `python -m pillarbox.cli.manual.pages docs/man` writes them, `--check` says which are old."""

from __future__ import annotations

import sys

from pillarbox.app import generated
from pillarbox.cli.manual import exim_options
from pillarbox.cli.manual.pillarbox_command import command_page
from pillarbox.cli.manual.roff import Item, Page, Section, written
from pillarbox.cli.manual.settings import settings_pages
from pillarbox.cli.manual.utilities import PAGES

_EXIM = (
    "`exim` and `sendmail` take messages, work on the queue and answer questions, with the options of Exim 4.100. A running "
    "daemon does what it is asked through its socket; without one the command does the work itself. Options end at the first word that is none.",
    "What is called `mailq` acts as with `-bp`, `runq` as with `-q`, `rmail` as with `-i -oee`, `rsmtp` as with `-bS`, "
    "`newaliases` as with `-bi`.",
)
_ENVIRONMENT = (
    Item("PILLARBOX_CONFIG", "The configuration, for callers without borrowed rights."),
    Item("EXIM_TEST_HARNESS", "`1`: for harnesses that were written for Exim; see docs/commands.md."),
)
_STATUS = (
    Item("0", "All is well; of `-bt`, `-bv`: all addresses are good."),
    Item(
        "1",
        "The command line or the configuration is wrong, or the message was not taken; one address was deferred.",
    ),
    Item("2", "Of `-bt`, `-bv`: an address failed. Of `-bS`: no message was taken."),
)


def exim_page() -> Page:
    sections = (
        Section("Description", _EXIM),
        *exim_options.SECTIONS,
        Section("Environment", (), _ENVIRONMENT),
        Section("Exit status", (), _STATUS),
    )
    see = tuple(sorted(f"{page.name}({page.number})" for page in PAGES))
    synopsis = ("exim [option ...] [recipient ...]", "sendmail [option ...] [recipient ...]")
    return Page(
        "exim", 8, "a mail transfer agent", synopsis, sections, ("pillarbox(8)", "pillarbox.conf(5)", *see)
    )


def pages() -> dict[str, str]:
    """Path below share/man → text."""
    all_pages = (exim_page(), command_page(), *PAGES, *settings_pages())
    made = {page.path: written(page) for page in all_pages}
    return dict(sorted(made.items()))


def main() -> int:
    return generated.run(sys.argv[1:], pages(), "man*/*", "ascii")


if __name__ == "__main__":
    sys.exit(main())
