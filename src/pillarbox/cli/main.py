"""`pillarbox`: serve, queue, user, config, expand. Each sub-command's work is imported when it is called."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pillarbox import __version__
from pillarbox.cli.explain import add_expand
from pillarbox.cli.streams import carry_bytes

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def main() -> None:
    """The command; ends the process."""
    carry_bytes()
    arguments = make_parser().parse_args()
    try:
        sys.exit(arguments.handle(arguments))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pillarbox", description="The whole mail server in one package.")
    parser.add_argument("--version", action="version", version=f"pillarbox {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_queue(commands)
    _add_user(commands)
    _add_config(commands)
    add_expand(commands)
    return parser


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", metavar="FOLDER", help="data folder (default: the first configuration found, see serve)"
    )
    parser.add_argument("-C", "--config", metavar="FILE", help="configuration file")


def _add_serve(commands: Commands) -> None:
    parser = commands.add_parser(
        "serve",
        help="run the mail server",
        description="Run the mail server in the foreground. The first start makes the data folder with configuration, "
        "certificate and one account. TERM stops, HUP reloads the configuration, USR1 reopens the logs.",
    )
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="data folder, made when missing; default: ./var, for root /var/lib/pillarbox with the standard ports",
    )
    parser.add_argument("-C", "--config", metavar="FILE", help="run this configuration; nothing is made")
    parser.add_argument(
        "--listen",
        metavar="ROLE=ADDRESS:PORT",
        action="append",
        default=[],
        help="listen here instead of where the configuration says; may be repeated; "
        "ROLE: smtp, smtps, lmtp, imap, imaps, pop3, pop3s",
    )
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="worker processes; default: one a core"
    )
    parser.set_defaults(handle=_serve)


def _serve(arguments: argparse.Namespace) -> int:
    from pillarbox.cli.serve import DaemonWish, serve

    return serve(DaemonWish(arguments.data, arguments.config, arguments.listen, arguments.workers))


def _add_queue(commands: Commands) -> None:
    parser = commands.add_parser("queue", help="list and change waiting messages")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    texts = {
        "list": "print the queue, oldest first",
        "show": "print envelope, headers and log of a message",
        "retry": "try messages now (all, when none is named)",
        "freeze": "hold messages until thawed",
        "thaw": "release held messages",
        "remove": "delete messages without a bounce",
    }
    for name, text in texts.items():
        action = actions.add_parser(name, help=text, description=text)
        _add_place(action)
        action.add_argument(
            "ids", nargs="*" if name in ("list", "retry") else "+", metavar="ID", help="message id"
        )
        action.set_defaults(handle=_queue, action=name)


def _queue(arguments: argparse.Namespace) -> int:
    from pillarbox.cli import modes, queue_listing
    from pillarbox.cli.arguments import Arguments
    from pillarbox.cli.places import choose_configuration, spool_directory

    read = Arguments("pillarbox queue", words=arguments.ids, config=arguments.config, data=arguments.data)
    if arguments.action in ("list", "show"):
        spool = spool_directory(choose_configuration(arguments.config, arguments.data))
        if arguments.action == "list":
            return queue_listing.print_queue(spool, tuple(arguments.ids))
        return max(queue_listing.show_all(spool, message_id) for message_id in arguments.ids)
    if arguments.action == "retry" and not arguments.ids:
        read.queue.force = True
        return modes.MODES["queue_run"](read)
    return modes.MODES["deliver" if arguments.action == "retry" else arguments.action](read)


def _add_user(commands: Commands) -> None:
    parser = commands.add_parser("user", help="add, change, remove and list accounts")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    for name, handle, text in (
        ("add", _user_add, "make an account"),
        ("passwd", _user_passwd, "change a password"),
        ("remove", _user_remove, "remove an account; its mail stays"),
        ("list", _user_list, "print the accounts"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        _add_place(action)
        if name != "list":
            action.add_argument("name", help="`alice` (every local domain) or `alice@example.org`")
        if name in ("add", "passwd"):
            action.add_argument(
                "--password-stdin", action="store_true", help="read the password from standard input"
            )
        action.set_defaults(handle=handle)


def _accounts(arguments: argparse.Namespace) -> Path:
    from pillarbox.app.configuration import ConfigSource
    from pillarbox.cli.places import choose_configuration
    from pillarbox.cli.serve import checked_config
    from pillarbox.flow.settings import Files

    path = choose_configuration(arguments.config, arguments.data)
    return Path(checked_config(ConfigSource(path)).main(Files).accounts_file)


def _read_password(arguments: argparse.Namespace) -> str:
    from pillarbox.cli.places import fail

    if arguments.password_stdin or not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = getpass.getpass(f"New password for {arguments.name}: ")
        if getpass.getpass("Once more: ") != password:
            fail("the two differ; nothing was changed")
    if not password:
        fail("an empty password is no password; nothing was changed")
    return password


def _user_add(arguments: argparse.Namespace) -> int:
    return _set_password(arguments, must_exist=False)


def _user_passwd(arguments: argparse.Namespace) -> int:
    return _set_password(arguments, must_exist=True)


def _set_password(arguments: argparse.Namespace, *, must_exist: bool) -> int:
    from pillarbox.app.first_start import set_password
    from pillarbox.backends.accounts.file import AccountsFileError, check_name, read_rows
    from pillarbox.cli.places import fail

    path = _accounts(arguments)
    try:
        name = check_name(arguments.name)
        exists = name in read_rows(path)[0]
        if must_exist and not exists:
            fail(f"there is no account {name}; `pillarbox user add {name}` makes it")
        if not must_exist and exists:
            fail(f"account {name} exists; `pillarbox user passwd {name}` changes its password")
        set_password(path, name, _read_password(arguments))
    except AccountsFileError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    print(f"account {name}: password {'changed' if must_exist else 'set'}")
    return 0


def _user_remove(arguments: argparse.Namespace) -> int:
    from pillarbox.backends.accounts.file import edit, read_rows
    from pillarbox.cli.places import fail

    path, name = _accounts(arguments), arguments.name.lower()
    if name not in read_rows(path)[0]:
        fail(f"there is no account {name}")
    edit(path, name, lambda _: None)
    print(f"account {name} removed; its mail stays where it is")
    return 0


def _user_list(arguments: argparse.Namespace) -> int:
    from pillarbox.backends.accounts.file import read_rows

    rows, problems = read_rows(_accounts(arguments))
    for problem in problems:
        print(problem, file=sys.stderr)
    for row in rows.values():
        state = "" if row.is_enabled and row.password else "  (cannot log in)"
        print(f"{row.name}{state}")
    return 1 if problems else 0


def _add_config(commands: Commands) -> None:
    parser = commands.add_parser("config", help="check or convert a configuration")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="say what is wrong with a configuration, with file:line")
    check.add_argument("file", nargs="?", help="configuration file; default: the one the daemon would use")
    check.add_argument("--strict", action="store_true", help="exit with 1 for warnings, too")
    check.set_defaults(handle=_config_check)
    convert = actions.add_parser("convert", help="print an Exim 3 configuration as Exim 4 text")
    convert.add_argument("file", help="the Exim 3 configuration")
    convert.add_argument("-o", "--output", type=Path, help="write there; it must not exist yet")
    convert.set_defaults(handle=_config_convert)


def _config_check(arguments: argparse.Namespace) -> int:
    from pillarbox.app.checking import check_configuration
    from pillarbox.cli.places import choose_configuration

    return check_configuration(choose_configuration(arguments.file, None), is_strict=arguments.strict)


def _config_convert(arguments: argparse.Namespace) -> int:
    from pillarbox.app.converting import convert

    return convert(Path(arguments.file), arguments.output)
