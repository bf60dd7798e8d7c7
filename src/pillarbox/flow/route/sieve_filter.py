"""A Sieve script as redirection data: run it, and make deliveries of what it wants (Exim 22.3, filter.txt 2).

`fileinto` and `keep` are deliveries by `file_transport` or `directory_transport`, `vacation` one by `reply_transport`; `redirect` makes an
address; `notify` a letter, sent while the message is delivered. A script with a mistake keeps the message, and the address does not wait.

Known gaps: notes about vacation replies older than 31 days stay in their directory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.filter_deliveries import delivery_of
from pillarbox.flow.route.filtering import own_addresses_at
from pillarbox.flow.route.generating import Generator, Stop, kind_of_path
from pillarbox.flow.route.logins import login_of
from pillarbox.flow.route.redirection import Address
from pillarbox.flow.route.result import (
    Assignment,
    Discarded,
    LogLine,
    Notification,
    Redirected,
    RouteResult,
)
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.headers import DEFAULT_CODING, HeaderCoding
from pillarbox.language.expand.taint import plain
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.actions import Mail
from pillarbox.language.sieve import actions
from pillarbox.language.sieve.circumstances import Circumstances, Envelope
from pillarbox.language.sieve.interpreter import run_sieve
from pillarbox.language.sieve.message import SieveMessage
from pillarbox.language.sieve.parser import parse_sieve
from pillarbox.language.sieve.printing import lines_of
from pillarbox.mail.message import MemoryBody, Message

if TYPE_CHECKING:
    from pillarbox.flow.route.routers.redirect import Redirect

_DAY = 24 * 60 * 60
_NOBODY = Message(b"", MemoryBody(b""))
"""What there is while an address is only asked about."""


async def redirect_by_sieve(router: Redirect, text: str, visit: Visit) -> RouteResult:
    """Raises Stop, ExpansionFailed, ExpansionDeferred."""
    options = _Options(router, visit)
    inbox = await options.text(router.sieve_inbox, "sieve_inbox")
    directory = await options.text(router.sieve_vacation_directory, "sieve_vacation_directory")
    owner = await options.text(router.sieve_enotify_mailto_owner, "sieve_enotify_mailto_owner")
    disabled = []
    if not directory:
        disabled.append(("vacation", "vacation disabled"))
    if not owner:
        disabled.append(("enotify", "enotify disabled"))
    program = parse_sieve(text, tuple(disabled))
    circumstances = Circumstances(
        await _envelope(router, options, visit), inbox or "inbox", own_addresses_at(visit), owner
    )
    outcome = run_sieve(program, _message(visit), circumstances)
    said = next(iter(lines_of(outcome)))
    visit.log.append(LogLine(f"   {said}", is_main=False, is_debug=True))
    carrying = _Carrying(router, visit, await Generator.at(router, visit), directory)
    children = await carrying.out(outcome.actions)
    if not children:
        return Discarded(await router.is_unseen(visit), "discarded")
    return Redirected(children, await router.is_unseen(visit))


class _Options:
    """Expands the router's `sieve_…` options."""

    def __init__(self, router: Redirect, visit: Visit) -> None:
        self._router = router
        self._visit = visit

    async def text(self, template: Template | None, name: str) -> str:
        """Without taint, as with Exim. Raises Stop."""
        if template is None:
            return ""
        try:
            return plain(await self._visit.expand(template))
        except (ExpansionDeferred, ExpansionFailed) as error:
            where = "data" if self._router.file is None else "file"
            why = f'error in filter {where}: failed to expand "{template.source}" ({name}): {error}'
            raise Stop(self._router.postpone(self._visit, why, error="redirect_data")) from None

    async def part(self, template: Template | None) -> str | None:
        """Of the address. None: it is not set, or does not expand."""
        if template is None:
            return None
        try:
            return await self._visit.expand(template)
        except (ExpansionDeferred, ExpansionFailed):
            return None


async def _envelope(router: Redirect, options: _Options, visit: Visit) -> Envelope:
    return Envelope(
        visit.sender,
        f"{visit.prefix}{visit.local_part}{visit.suffix}",
        visit.domain,
        await options.part(router.sieve_useraddress),
        await options.part(router.sieve_subaddress),
    )


def _message(visit: Visit) -> SieveMessage:
    facts = visit.scope.facet(MessageFacts)
    message = facts.message if facts is not None and facts.message is not None else _NOBODY
    return SieveMessage(message, visit.scope.facet(HeaderCoding) or DEFAULT_CODING)


class _Carrying:
    """Makes deliveries and addresses of actions."""

    def __init__(self, router: Redirect, visit: Visit, generator: Generator, directory: str) -> None:
        """`directory`: for notes about vacation replies."""
        self._router = router
        self._visit = visit
        self._generator = generator
        self._directory = directory

    async def out(self, wanted: tuple[actions.Action, ...]) -> tuple[Candidate | Assignment, ...]:
        made: list[Candidate | Assignment] = []
        for action in wanted:
            match action:
                case actions.FileInto(folder=folder):
                    made.append(await self._generator.delivery(kind_of_path(folder), folder))
                case actions.Redirect(address=address):
                    local_part, _, domain = address.rpartition("@")
                    made.append(await self._generator.child(Address(local_part, domain)))
                case actions.Vacation():
                    made.append(await self._answer(action))
                case actions.Notify():
                    await self._notify(action)
                case _:
                    assert_never(action)
        return tuple(made)

    async def _answer(self, answer: actions.Vacation) -> Assignment:
        mail = mail_of(answer, self._visit.sender, self._directory)
        return await delivery_of(mail, self._visit.scope, self._generator.delivery)

    async def _notify(self, action: actions.Notify) -> None:
        """Not while an address is only asked about."""
        visit = self._visit
        if visit.purpose != "deliver":
            return
        actor = await self._router.actor(visit)
        domain = visit.services.qualify_recipient
        to = tuple(one if "@" in one else f"{one}@{domain}" for one in action.to)
        login = login_of(actor.uid) if actor is not None else ""
        notification = Notification(to, action.headers, action.text, login, is_unanswerable=not visit.sender)
        visit.letters.append(notification)


def mail_of(answer: actions.Vacation, to: str, directory: str) -> Mail:
    """The same as an Exim filter's `vacation`; notes of whom it went to lie in `directory`."""
    return Mail(
        is_vacation=True,
        to=plain(to),
        cc=None,
        bcc=None,
        sender=answer.sender,
        reply_to=None,
        subject=answer.subject,
        extra_headers=answer.headers or None,
        text=answer.text,
        file=None,
        expands_file=False,
        log=None,
        once=f"{directory}/{answer.basename}",
        once_repeat=f"{answer.days}d",
        once_repeat_seconds=answer.days * _DAY,
        makes_once_directory=True,
        returns_message=False,
        is_seen=True,
        ignores_errors=True,
    )
