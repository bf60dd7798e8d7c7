"""Small option lists: LIST's selection and return options (RFC 5258, 5819, 6154), STATUS items, and modifiers in parentheses (RFC 4466)."""

from __future__ import annotations

import msgspec

from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.mailbox_name import parse_list_mailbox, parse_mailbox

STATUS_ITEMS = frozenset(
    [
        "MESSAGES",
        "UIDNEXT",
        "UIDVALIDITY",
        "UNSEEN",
        "DELETED",
        "SIZE",
        "RECENT",
        "HIGHESTMODSEQ",
        "APPENDLIMIT",
    ]
)
_SELECTION = frozenset(["SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"])
_RETURN = frozenset(["SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS"])


class ListArguments(msgspec.Struct, frozen=True):
    """Arguments of LIST and LSUB. `is_extended`: one of the newer forms was used."""

    reference: str
    patterns: tuple[str, ...]
    selection: frozenset[str] = frozenset()
    returned: frozenset[str] = frozenset()
    status_items: tuple[str, ...] = ()
    is_extended: bool = False


def parse_list_arguments(cursor: Cursor) -> ListArguments:
    cursor.space()
    is_extended = cursor.peek() == b"("
    selection: frozenset[str] = frozenset()
    if is_extended:
        selection = frozenset(cursor.parenthesised(_selection_option, may_be_empty=True))
        cursor.space()
    if "RECURSIVEMATCH" in selection and not selection - {"RECURSIVEMATCH", "REMOTE"}:
        raise BadSyntax("RECURSIVEMATCH needs another selection option")
    reference = parse_mailbox(cursor)
    cursor.space()
    if cursor.peek() == b"(":
        is_extended = True
        patterns = tuple(cursor.parenthesised(parse_list_mailbox))
    else:
        patterns = (parse_list_mailbox(cursor),)
    if cursor.at_end():
        return ListArguments(reference, patterns, selection, frozenset(), (), is_extended)
    returned, status_items = _return_options(cursor)
    return ListArguments(reference, patterns, selection, returned, status_items, True)


def _selection_option(cursor: Cursor) -> str:
    option = cursor.atom().upper()
    if option not in _SELECTION:
        raise BadSyntax(f"Unknown selection option {option}")
    return option


def _return_options(cursor: Cursor) -> tuple[frozenset[str], tuple[str, ...]]:
    cursor.space()
    cursor.expect(b"RETURN")
    cursor.space()
    status_items: list[str] = []

    def option(cursor: Cursor) -> str:
        name = cursor.atom().upper()
        if name not in _RETURN:
            raise BadSyntax(f"Unknown return option {name}")
        if name == "STATUS":
            cursor.space()
            status_items.extend(parse_status_items(cursor))
        return name

    returned = frozenset(cursor.parenthesised(option, may_be_empty=True))
    return returned, tuple(dict.fromkeys(status_items))


def parse_status_items(cursor: Cursor) -> tuple[str, ...]:
    return tuple(dict.fromkeys(cursor.parenthesised(_status_item)))


def _status_item(cursor: Cursor) -> str:
    item = cursor.atom().upper()
    if item not in STATUS_ITEMS:
        raise BadSyntax(f"Unknown status item {item}")
    return item
