"""The machine's logins beside the accounts of the file (`system_logins`): the file comes first, and its names are never asked of the system.

The system's answer, by PAM or the shadow file, comes from the root helper (`ports.localwork`). Failures count and delay like any other,
and take whole halves of a second, so that their time does not tell which of the two was asked.
"""

from __future__ import annotations

import asyncio
import errno
import math
import os
import stat
from collections.abc import Callable, Iterable

import msgspec

from pillarbox.backends.accounts.leading import Leader, is_led
from pillarbox.backends.accounts.throttle import Throttle
from pillarbox.backends.accounts.users import FileUsers
from pillarbox.ports.clock import Clock
from pillarbox.ports.localwork import Actor, FoundFile, LocalWork, WorkRefused
from pillarbox.ports.mailplace import MailPlace, parse_place
from pillarbox.ports.users import (
    Account,
    LoginsBroken,
    LoginThrottled,
    ScramCredentials,
    SystemUser,
    SystemUsers,
)

MAX_WAITING = 40
_STEP = 0.5
FOLDERS = "Maildir"
"""In the home of a user whose INBOX is an mbox: the other mailboxes."""
SPOOLS = ("/var/mail", "/var/spool/mail")


class SystemLogins(msgspec.Struct, frozen=True):
    """Who of the machine's users may log in, and how."""

    service: str
    """PAM's; empty: the shadow file."""
    lowest_uid: int
    never: frozenset[int]
    place_of: Callable[[SystemUser], str]
    """Where the user's mail is (ports.mailplace)."""
    groups_of: Callable[[SystemUser], Iterable[int]] = lambda _: ()

    def admits(self, user: SystemUser) -> bool:
        return user.uid > 0 and user.uid >= self.lowest_uid and user.uid not in self.never


class UnixUsers:
    """ports.users.Users."""

    def __init__(
        self,
        accounts: FileUsers,
        system: SystemUsers,
        work: LocalWork,
        clock: Clock,
        rules: SystemLogins,
        is_led: Callable[[str, Leader], bool] = is_led,
    ) -> None:
        self._accounts = accounts
        self._system = system
        self._work = work
        self._clock = clock
        self._rules = rules
        self._is_led = is_led
        self._throttle: Throttle = accounts.throttle
        self._waiting = 0

    def find(self, name: str) -> Account | None:
        """Only accounts: where the machine's users get their mail is what the routers say."""
        return self._accounts.find(name)

    def scram(self, name: str) -> ScramCredentials | None:
        return self._accounts.scram(name)

    def fake_scram(self, name: str) -> ScramCredentials:
        return self._accounts.fake_scram(name)

    async def verify(self, name: str, password: str, peer_address: str) -> Account | None:
        """As the port says. Raises LoginsBroken when the system cannot be asked."""
        begun = self._clock.monotonic()
        if self._accounts.find(name) is not None:
            account = await self._accounts.verify(name, password, peer_address)
        else:
            account = await self._verify_login(name, password, peer_address)
        if account is None:
            taken = self._clock.monotonic() - begun
            await self._clock.sleep(math.ceil(taken / _STEP) * _STEP - taken)
        return account

    async def note_failure(self, name: str, peer_address: str) -> None:
        await self._accounts.note_failure(name, peer_address)

    def check_throttle(self, name: str, peer_address: str) -> None:
        self._accounts.check_throttle(name, peer_address)

    def close(self) -> None:
        self._accounts.close()

    async def _verify_login(self, name: str, password: str, peer_address: str) -> Account | None:
        """Unknown names are asked for too, so that they take as long."""
        self._throttle.check(peer_address)
        if self._waiting >= MAX_WAITING:
            raise LoginThrottled(5.0)
        user = self._system.find(name)
        self._waiting += 1
        try:
            is_right = await self._work.check_password(name, password, self._rules.service)
        except WorkRefused as refused:
            raise LoginsBroken(str(refused)) from None
        finally:
            self._waiting -= 1
        if is_right and user is not None and self._rules.admits(user):
            place, actor = await self._place_of(user)
            return Account(name=user.name, home=str(place), actor=actor)
        await self._throttle.punish(name, peer_address)
        return None

    async def _place_of(self, user: SystemUser) -> tuple[MailPlace, Actor | None]:
        """Where the mail is and who reads it: the user reads what is the user's, an mbox always, what is yet to be made in the user's home, and
        what the user may put there; everything else is read as ourselves."""
        below = user.home.rstrip("/") + "/"
        place = parse_place(self._rules.place_of(user), below + FOLDERS)
        actor = Actor(user.uid, user.gid) if self._work.acts_as_users else None
        if place.inbox:
            return place, actor
        try:
            found = await self._work.look(place.root, actor)
        except WorkRefused as refused:
            raise LoginsBroken(str(refused)) from None
        if _is_mbox(place.root, found):
            return MailPlace(below + FOLDERS, place.root), actor
        is_theirs = found.facts is not None and found.facts.uid == user.uid
        is_to_be_theirs = found.error == errno.ENOENT and place.root.startswith(below)
        if actor is None or is_theirs or is_to_be_theirs:
            return place, actor
        leader = Leader(user.uid, frozenset((user.gid, *self._rules.groups_of(user))))
        return place, actor if await asyncio.to_thread(self._is_led, place.root, leader) else None


def _is_mbox(path: str, found: FoundFile) -> bool:
    """A file, or nothing yet where the system keeps such files."""
    if found.facts is not None:
        return stat.S_ISREG(found.facts.mode)
    return found.error == errno.ENOENT and os.path.dirname(path) in SPOOLS
