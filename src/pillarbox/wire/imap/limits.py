"""How much one IMAP client may ask the parser to hold (RFC 9051 §4.3, RFC 7888 §5).

Every figure is a hard bound per connection. What lies above is refused with a tagged response and never read into memory.
"""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Bytes, unless said otherwise. Before login the smaller figures hold."""

    line: int = 65_536
    """One command without its literals; long UID sets need room (RFC 7162 §4 asks for 8192 at least)."""
    line_before_login: int = 8_192
    literals: int = 65_536
    """All literals of one command together, APPEND excepted."""
    literals_before_login: int = 8_192
    message: int = 52_428_800
    """One APPEND literal: the message size limit."""
    append: int = 104_857_600
    """All messages of one APPEND together (RFC 3502)."""
    discarded: int = 1_048_576
    """What is read and thrown away behind a refused command before the connection is ended instead."""
    nesting: int = 32
    """Parentheses in parentheses."""
    arguments: int = 4_096
    """Elements of one list; search keys of one command."""
