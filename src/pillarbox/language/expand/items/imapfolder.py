"""`${imapfolder{name}}`: a folder's name as Maildir++ writes it, levels divided by dots, in modified UTF-7 (Exim 11.5, 60.2)."""

from __future__ import annotations

import base64
import re

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.nodes import Node, apply
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item

_UNPRINTABLE = re.compile(r"[^ -~]+")


@item("imapfolder")
def parse_imapfolder(parser: Parser) -> Node:
    at = parser.position
    arguments = parser.braced_arguments("imapfolder", 1, 3)
    return apply("imapfolder", at, maildir_name, arguments, untaints=True)


def maildir_name(folder: str, separator: str = "/", unwanted: str = "") -> str:
    """`separator` divides the levels of `folder`; characters of `unwanted` are encoded too. Raises ExpansionFailed."""
    try:
        folder.encode("utf-8")
    except UnicodeEncodeError:
        reason = "Invalid or incomplete multibyte or wide character"
        raise ExpansionFailed(f"imapfolder: iconv() failed to convert from UTF-8: {reason}") from None
    if len(separator) != 1:
        raise ExpansionFailed(f'IMAP folder separator must be one character, found "{separator}"')
    for character in "./":
        if character != separator and character in folder:
            raise ExpansionFailed(f"imapfolder: illegal character '{character}'")
    coded = re.compile(f"[^ -~]+|[{re.escape(unwanted)}]+") if unwanted else _UNPRINTABLE
    levels = [level for level in folder.split(separator) if level]
    return ".".join(coded.sub(_encoded, level.replace("&", "&-")) for level in levels)


def _encoded(found: re.Match[str]) -> str:
    coded = base64.b64encode(found.group().encode("utf-16-be")).decode("ascii")
    return "&" + coded.rstrip("=").replace("/", ",") + "-"
