"""How far a queued message has come: the fold of appended events.

The envelope never changes; what happened to it is a list of small facts, and the present state is what they add up to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec


class Settled(msgspec.Struct, frozen=True, gc=False, tag=True):
    """An address needs no more attention: delivered, or failed and reported. Durable once appended and synced."""

    address: str
    at: float


class Added(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A new recipient: an administrator added it (`exim -Mar`), or a router redirected to it once and for all (`one_time`). One that has been
    settled stays so."""

    address: str
    at: float
    replaces: str = ""
    """The address that was redirected to it, and is settled by that; empty: none is."""
    recipient: str = ""
    """The envelope's recipient that it all began with; empty: an administrator added it."""
    errors_to: str | None = None
    """Where its failures are reported; None: as usual."""


class SenderChanged(msgspec.Struct, frozen=True, gc=False, tag=True):
    """An administrator changed the envelope's sender (`exim -Mes`); empty: the null one. Only for waiting messages: the spool changes the
    envelope itself, so that it is in the file."""

    sender: str
    at: float


class HeadersChanged(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The system filter changed the header block, and the message waits: later attempts begin with what it made. The spool changes the
    message itself."""

    headers: bytes
    at: float


class Frozen(msgspec.Struct, frozen=True, gc=False, tag=True):
    """No automatic attempts from now on."""

    at: float


class Thawed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Automatic attempts again, the next one at once."""

    at: float
    by_hand: bool = True


class Warned(msgspec.Struct, frozen=True, gc=False, tag=True):
    """One more delay warning went to the sender."""

    at: float


class Attempted(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A delivery attempt has ended, and addresses remain."""

    at: float
    next_at: float = 0.0
    """When the earliest of them is due again."""


Event = Settled | Added | SenderChanged | HeadersChanged | Frozen | Thawed | Warned | Attempted


class Replacement(msgspec.Struct, frozen=True, gc=False):
    """Of an address that redirection put in the place of another: what `Added` says of it."""

    address: str
    recipient: str
    errors_to: str | None = None


class Progress(msgspec.Struct, frozen=True):
    """The state the events add up to."""

    settled: frozenset[str] = frozenset()
    """Addresses (envelope recipients and what they were redirected to) that are done: Exim's non-recipients."""
    added: tuple[str, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    """Those of `added` that `one_time` put there."""
    frozen_at: float | None = None
    thawed_by_hand: bool = False
    warnings: int = 0
    attempts: int = 0
    last_attempt_at: float = 0.0
    next_at: float = 0.0

    @property
    def is_frozen(self) -> bool:
        return self.frozen_at is not None

    def after(self, events: Iterable[Event]) -> Progress:
        """The state once `events` have happened too."""
        state = self
        for event in events:
            state = _apply(state, event)
        return state


def _apply(state: Progress, event: Event) -> Progress:
    replace = msgspec.structs.replace
    match event:
        case Settled(address=address):
            return replace(state, settled=state.settled | {address})
        case Added(recipient=""):
            return replace(state, added=(*state.added, event.address))
        case Added():
            return _with_replacement(state, event)
        case SenderChanged() | HeadersChanged():
            return state
        case Frozen(at=at):
            return replace(state, frozen_at=at)
        case Thawed(by_hand=by_hand):
            return replace(state, frozen_at=None, thawed_by_hand=by_hand, next_at=0.0)
        case Warned():
            return replace(state, warnings=state.warnings + 1)
        case Attempted(at=at, next_at=next_at):
            return replace(state, attempts=state.attempts + 1, last_attempt_at=at, next_at=next_at)
        case _ as unreachable:
            assert_never(unreachable)


def _with_replacement(state: Progress, event: Added) -> Progress:
    settled = state.settled | {event.replaces} if event.replaces else state.settled
    if event.address in state.added:
        return msgspec.structs.replace(state, settled=settled)
    one = Replacement(event.address, event.recipient, event.errors_to)
    return msgspec.structs.replace(
        state,
        settled=settled,
        added=(*state.added, event.address),
        replacements=(*state.replacements, one),
    )
