"""What a filter is told of the message besides what expansions see, and how it changes headers."""

from __future__ import annotations

from typing import Protocol

import msgspec

from pillarbox.language.expand.scope import Scope


class HeaderBlocks(Protocol):
    """The message's header block (LF form) as scopes carry it."""

    def read(self, scope: Scope) -> bytes: ...

    def with_block(self, scope: Scope, block: bytes) -> Scope:
        """A scope whose header variables see `block`."""
        ...

    def with_charset(self, scope: Scope, charset: str) -> Scope:
        """A scope whose header variables are translated to `charset`."""
        ...


class Circumstances(msgspec.Struct, frozen=True):
    headers: HeaderBlocks
    sender: str
    """Envelope sender; empty: the message is a bounce (`error_message`)."""
    return_path: str
    own_addresses: tuple[str, ...]
    """Of the user whose filter it is; the first is `$local_part@$domain`, then those with affixes and rewritten ones."""
    qualify_domain: str
    recipients: tuple[str, ...] = ()
    """The envelope's, for `$recipients` in system filters; others do not see them."""
    prepend_home: str | None = None
    """Put in front of relative paths of `save`."""
    is_first_delivery: bool = True
    is_manually_thawed: bool = False
    is_test: bool = False
    """Nothing will be carried out: `testprint` says something, `logwrite` needs no log file."""
    traces_conditions: bool = False
