"""Users and groups in options: names or numbers of this machine's, looked up when the configuration is loaded (Exim 6.19).

The value is the name where the machine knows one, else the digits. Lists are expanded when they are read, before anything is known of
any message, so only what is the same for ever may stand in them.
"""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable
from typing import Any, cast

from pillarbox.config.errors import OptionError
from pillarbox.config.numbers import NAME
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.template import Template
from pillarbox.language.match.items import split
from pillarbox.language.match.named import NamedLists


def parse_user(text: str, named: NamedLists) -> str:
    """The user's name, or digits that no user has. Raises OptionError."""
    return _name_of(text, "user", _user_by_id, _is_user)


def parse_group(text: str, named: NamedLists) -> str:
    """The group's name, or digits that no group has. Raises OptionError."""
    return _name_of(text, "group", _group_by_id, _is_group)


def parse_expanded_user(text: str, named: NamedLists) -> Template:
    """A user, or what expands to one when it is needed. Raises OptionError."""
    return _template(text if "$" in text else parse_user(text, named))


def parse_expanded_group(text: str, named: NamedLists) -> Template:
    """A group, or what expands to one when it is needed. Raises OptionError."""
    return _template(text if "$" in text else parse_group(text, named))


def parse_users(text: str, named: NamedLists) -> tuple[str, ...]:
    """A list of users. Raises OptionError."""
    return tuple(parse_user(item, named) for item, _ in split(_expanded(text)))


def parse_groups(text: str, named: NamedLists) -> tuple[str, ...]:
    """A list of groups. Raises OptionError."""
    return tuple(parse_group(item, named) for item, _ in split(_expanded(text)))


def main_group_of(user: str) -> str:
    """The name of the user's own group; empty for digits without a user."""
    try:
        return _group_by_id(pwd.getpwnam(user).pw_gid) or ""
    except KeyError:
        return ""


def _name_of(text: str, what: str, by_id: Callable[[int], str | None], exists: Callable[[str], bool]) -> str:
    if text.isascii() and text.isdigit() and len(text) < 11:
        return by_id(int(text)) or text
    if not text or not exists(text):
        raise OptionError(f"{what} {text} was not found")
    return text


def _user_by_id(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return None


def _group_by_id(gid: int) -> str | None:
    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return None


def _is_user(name: str) -> bool:
    try:
        return bool(pwd.getpwnam(name))
    except (KeyError, ValueError):
        return False


def _is_group(name: str) -> bool:
    try:
        return bool(grp.getgrnam(name))
    except (KeyError, ValueError):
        return False


def _template(text: str) -> Template:
    try:
        return Template.parse(text)
    except ExpandSyntaxError as error:
        raise OptionError(error.message) from None


def _expanded(text: str) -> str:
    if "$" not in text and "\\" not in text:
        return text
    try:
        template = Template.parse(text)
    except ExpandSyntaxError as error:
        raise OptionError(f"failed to expand {NAME}: {error.message}") from None
    if not template.is_pure:
        raise OptionError(f"failed to expand {NAME}: lookups are not possible here")
    try:
        return template.expand_now(Scope({}, _NO_SERVICES))
    except ExpansionFailed as error:
        raise OptionError(f"failed to expand {NAME}: {error}") from None


class _NoWorld:
    """While options are read there are no clock, DNS or lookups to ask."""

    def __getattr__(self, name: str) -> Any:
        raise ExpansionFailed("nothing can be asked while the configuration is read")


_NO_SERVICES = Services(cast(Any, _NoWorld()), cast(Any, _NoWorld()), cast(Any, _NoWorld()))
