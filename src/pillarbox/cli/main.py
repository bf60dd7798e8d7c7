"""`pillarbox`: serve, queue, user, config, expand. Each sub-command's work is imported when it is called."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pillarbox import __version__
from pillarbox.cli.accounts import add_user
from pillarbox.cli.beginning import begin
from pillarbox.cli.explain import add_expand
from pillarbox.cli.places import EX_CONFIG, add_place, fail
from pillarbox.config.errors import ConfigError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def main() -> None:
    """The command; ends the process."""
    begin()
    arguments = make_parser().parse_args()
    try:
        sys.exit(arguments.handle(arguments))
    except ConfigError as error:
        fail(str(error), EX_CONFIG)
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
    add_user(commands)
    _add_config(commands)
    add_expand(commands)
    _describe(parser)
    return parser


def _describe(parser: argparse.ArgumentParser) -> None:
    """What the list of commands says of one, its own help says too."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            texts = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for word, below in action.choices.items():
                below.description = below.description or sentence(texts[word])
                _describe(below)


def sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


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
        "--workers", type=_number, default=0, metavar="N", help="worker processes; default: one a core"
    )
    parser.set_defaults(handle=_serve)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: a number was expected")
    return int(text)


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
        action = actions.add_parser(name, help=text)
        add_place(action)
        action.add_argument(
            "ids", nargs="*" if name in ("list", "retry") else "+", metavar="ID", help="message id"
        )
        action.set_defaults(handle=_queue, action=name)


def _queue(arguments: argparse.Namespace) -> int:
    from pillarbox.cli import modes, queue_listing
    from pillarbox.cli.arguments import Arguments
    from pillarbox.cli.places import choose_configuration, fail, spool_directory
    from pillarbox.wire.exim.message_id import is_message_id

    for word in arguments.ids:
        if not is_message_id(word):
            fail(f"{word}: this is no message id; `pillarbox queue list` shows them")
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


def _add_config(commands: Commands) -> None:
    parser = commands.add_parser("config", help="check or convert a configuration")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check",
        help="say what is wrong with a configuration, with file:line",
        description="Say what is wrong with a configuration, with file:line: mistakes, then what is suspicious, then what has "
        "no effect yet. Exit code 1: it cannot be used.",
    )
    check.add_argument(
        "file", nargs="?", metavar="FILE", help="configuration file; default: the one the daemon would use"
    )
    check.add_argument("--strict", action="store_true", help="exit with 1 for warnings, too")
    check.set_defaults(handle=_config_check)
    convert = actions.add_parser("convert", help="print an Exim 3 configuration as Exim 4 text")
    convert.add_argument("file", metavar="FILE", help="the Exim 3 configuration")
    convert.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write there; it must not exist yet"
    )
    convert.set_defaults(handle=_config_convert)


def _config_check(arguments: argparse.Namespace) -> int:
    from pillarbox.app.checking import check_configuration
    from pillarbox.cli.places import choose_configuration

    return check_configuration(choose_configuration(arguments.file, None), is_strict=arguments.strict)


def _config_convert(arguments: argparse.Namespace) -> int:
    from pillarbox.app.converting import convert

    return convert(Path(arguments.file), arguments.output)
