"""`pillarbox user`: who may log in."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pillarbox.cli.places import add_place, choose_configuration, fail

if TYPE_CHECKING:
    from pillarbox.cli.main import Commands

_Handle = Callable[[argparse.Namespace], int]


def add_user(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("user", help="add, change, remove and list accounts")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    for name, handle, text in (
        ("add", _add, "make an account"),
        ("passwd", _passwd, "change a password"),
        ("remove", _remove, "remove an account; its mail stays"),
        ("list", _list, "print the accounts"),
    ):
        action = actions.add_parser(name, help=text)
        add_place(action)
        if name != "list":
            action.add_argument(
                "name", metavar="NAME", help="`alice` (every local domain) or `alice@example.org`"
            )
        if name in ("add", "passwd"):
            action.add_argument(
                "--password-stdin", action="store_true", help="read the password from standard input"
            )
        action.set_defaults(handle=_with_complaints(handle))


def _with_complaints(handle: _Handle) -> _Handle:
    """What is wrong with the file of accounts ends the command in one line."""

    def run(arguments: argparse.Namespace) -> int:
        from pillarbox.app.privilege import complaint
        from pillarbox.backends.accounts.file import AccountsFileError

        try:
            return handle(arguments)
        except AccountsFileError as error:
            fail(str(error))
        except OSError as error:
            fail(complaint(error))

    return run


def _file(arguments: argparse.Namespace) -> Path:
    from pillarbox.app.configuration import ConfigSource
    from pillarbox.cli.serve import checked_config
    from pillarbox.flow.settings import Files

    path = choose_configuration(arguments.config, arguments.data)
    name = checked_config(ConfigSource(path)).main(Files).accounts_file
    if not name:
        fail(f"{path}: accounts_file is not set, so there are no accounts of its own")
    return Path(name)


def _read_password(arguments: argparse.Namespace) -> str:
    if arguments.password_stdin or not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = getpass.getpass(f"New password for {arguments.name}: ")
        if getpass.getpass("Once more: ") != password:
            fail("the two differ; nothing was changed")
    if not password:
        fail("an empty password is no password; nothing was changed")
    return password


def _add(arguments: argparse.Namespace) -> int:
    return _set_password(arguments, must_exist=False)


def _passwd(arguments: argparse.Namespace) -> int:
    return _set_password(arguments, must_exist=True)


def _set_password(arguments: argparse.Namespace, *, must_exist: bool) -> int:
    from pillarbox.app.first_start import set_password
    from pillarbox.backends.accounts.file import check_name, read_rows

    path = _file(arguments)
    name = check_name(arguments.name)
    exists = name in read_rows(path)[0]
    if must_exist and not exists:
        fail(f"there is no account {name}; `pillarbox user add {name}` makes it")
    if not must_exist and exists:
        fail(f"account {name} exists; `pillarbox user passwd {name}` changes its password")
    set_password(path, name, _read_password(arguments))
    print(f"account {name}: password {'changed' if must_exist else 'set'}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    from pillarbox.backends.accounts.file import edit, read_rows

    path, name = _file(arguments), arguments.name.lower()
    if name not in read_rows(path)[0]:
        fail(f"there is no account {name}; `pillarbox user list` names those there are")
    edit(path, name, lambda _: None)
    print(f"account {name} removed; its mail stays where it is")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from pillarbox.backends.accounts.file import read_rows

    rows, problems = read_rows(_file(arguments))
    for problem in problems:
        print(problem, file=sys.stderr)
    for row in rows.values():
        state = "" if row.is_enabled and row.password else "  (cannot log in)"
        print(f"{row.name}{state}")
    return 1 if problems else 0
