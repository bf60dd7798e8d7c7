"""`pillarbox expand`: the arguments of it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pillarbox.cli.places import add_place, choose_configuration, existing_configuration, fail

if TYPE_CHECKING:
    from pillarbox.cli.main import Commands


def add_expand(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "expand",
        help="show step by step what a string expands to",
        description="Expand STRING as the configuration would, and print each piece of it with its value: branches taken and "
        "not taken, lookups with what they found, taint. Quote STRING for the shell: '${lc:$sender_address}'.",
    )
    add_place(parser, otherwise="; without any, Exim's defaults")
    parser.add_argument(
        "--message", metavar="FILE", help="load this message, for header variables and its sender"
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="give a variable a value: sender_address=a@b, acl_m_x=1, 1=first capture; may be repeated",
    )
    parser.add_argument("string", metavar="STRING", help="what to expand, in one word of the shell")
    parser.set_defaults(handle=_expand)


def _expand(arguments: argparse.Namespace) -> int:
    from pillarbox.app.explaining import explain

    given: dict[str, str] = {}
    for setting in arguments.set:
        name, equals, value = setting.partition("=")
        if not equals:
            fail(f"--set {setting}: NAME=VALUE was expected")
        given[name.removeprefix("$")] = value
    is_free = not (arguments.config or arguments.data) and existing_configuration() is None
    path = Path(os.devnull) if is_free else choose_configuration(arguments.config, arguments.data)
    return explain(path, arguments.string, message=arguments.message, given=given)
