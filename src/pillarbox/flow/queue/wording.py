"""The configuration's own words in notices, and who gets a copy (Exim chapter 50, `errors_copy`, `delay_warning_condition`).

`bounce_message_file` and `warn_message_file` hold items divided by lines of four asterisks; each is expanded when a notice is written.
What cannot be read or expanded is told in the panic log, and the usual words stand in its place: the sender must hear in any case.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from pillarbox.flow.facets.delivering import BounceFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.queue.author_line import author_line
from pillarbox.flow.queue.bounce import USUAL_TEXTS, Texts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.addresses import AddressError, address_items, working_address
from pillarbox.language.expand.errors import (
    ExpandSyntaxError,
    ExpansionDeferred,
    ExpansionFailed,
    ForcedFailure,
)
from pillarbox.language.expand.scope import Scope, Services, replay
from pillarbox.language.expand.taint import plain
from pillarbox.language.expand.template import Template
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.items import split
from pillarbox.language.match.named import NamedLists
from pillarbox.language.words import dequote
from pillarbox.mail.envelope import Recipient
from pillarbox.ports.journal import Journal
from pillarbox.ports.spool import Queued
from pillarbox.ports.textfiles import TextFiles, TextFileTrouble

USUAL_CHARSET = "us-ascii"
CHARSETS = frozenset((USUAL_CHARSET, "utf-8"))
_DIVIDER = "****"
_ITEMS = 3
_FALSE = frozenset(("", "0", "no", "false"))


class Copy(NamedTuple):
    """One item of `errors_copy`: `pattern recipients`."""

    pattern: AddressList
    to: Template


def parse_copies(source: str, named: NamedLists) -> tuple[Copy, ...]:
    """Raises ListSyntaxError, ExpandSyntaxError."""
    copies = []
    for text, _ in split(source):
        pattern, to = dequote(text)
        if to:
            copies.append(Copy(AddressList.parse(pattern.replace(":", "::"), named), Template.parse(to)))
    return tuple(copies)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says about the words of notices."""

    bounce_file: Template | None = None
    warning_file: Template | None = None
    condition: Template | None = None
    """`delay_warning_condition`; None: always."""
    author: Template | None = None
    """`dsn_from`; None: the usual one."""
    copies: tuple[Copy, ...] = ()
    charset: Template | None = None
    """`bounce_charset`; None: us-ascii."""
    recipient_domain: str = ""
    """Behind addresses of `errors_copy` that have none."""


class Wording:
    """Asks the configuration, for one notice at a time."""

    __slots__ = ("_choice", "_files", "_journal", "_services")

    def __init__(self, choice: Choice, services: Services, files: TextFiles, journal: Journal) -> None:
        self._choice = choice
        self._services = services
        self._files = files
        self._journal = journal

    async def of_bounce(self, parent: Queued, to: str) -> Texts:
        if self._choice.bounce_file is None:
            return USUAL_TEXTS
        scope = self._scope(parent, BounceFacts(bounce_recipient=to))
        return await self._texts(parent.id, self._choice.bounce_file, "error", scope)

    async def of_warning(self, parent: Queued, to: str, delay: str) -> Texts:
        if self._choice.warning_file is None:
            return USUAL_TEXTS
        scope = self._scope(parent, BounceFacts(warn_message_recipients=to, warn_message_delay=delay))
        return await self._texts(parent.id, self._choice.warning_file, "warning", scope)

    async def may_warn(self, parent: Queued) -> bool:
        """What `delay_warning_condition` says. Nobody is warned when it cannot be expanded; the log says why, unless it was forced."""
        condition = self._choice.condition
        if condition is None:
            return True
        try:
            answer = await condition.expand(self._scope(parent, BounceFacts()))
        except ForcedFailure:
            return False
        except (ExpansionFailed, ExpansionDeferred) as error:
            self._journal.panic(
                f'{parent.id} failed to expand condition "{condition.source}" for delay_warning option: {error}'
            )
            return False
        return answer.strip().lower() not in _FALSE

    async def copies_of(self, parent: Queued, to: str) -> tuple[str, ...]:
        """The recipients of the first item of `errors_copy` that `to` fits."""
        if not self._choice.copies:
            return ()
        candidate = Candidate.first(Recipient(to))
        scope = self._scope(parent, BounceFacts(bounce_recipient=to)).with_facet(Candidate, candidate)
        source = ""
        try:
            for copy in self._choice.copies:
                source = copy.pattern.source
                if await replay(scope, lambda run, copy=copy: copy.pattern.matches_now(to, run)):  # type: ignore[misc]
                    source = copy.to.source
                    return self._addresses(parent.id, plain(await copy.to.expand(scope)))
        except (ForcedFailure, ExpansionFailed, ExpansionDeferred) as error:
            self._journal.panic(f"{parent.id} Failed to expand {source} when processing errors_copy: {error}")
        return ()

    def _addresses(self, message_id: str, text: str) -> tuple[str, ...]:
        found = []
        for item in address_items(text):
            if item.text.strip():
                try:
                    one = working_address(item.text)
                except AddressError as error:
                    self._journal.panic(f"{message_id} errors_copy: {item.text.strip()}: {error}")
                    continue
                found.append(
                    one.address if one.domain_at else f"{one.address}@{self._choice.recipient_domain}"
                )
        return tuple(found)

    async def author_line(self, parent: Queued) -> str | None:
        """`From:`; None: the usual one."""
        template = self._choice.author
        if template is None:
            return None
        return await author_line(template, self._scope(parent, BounceFacts()), self._journal, parent.id)

    async def charset(self, parent: Queued) -> str:
        """Of the text for people; the usual one where it is not one of the two that there may be."""
        template = self._choice.charset
        if template is None:
            return USUAL_CHARSET
        try:
            text = await template.expand(self._scope(parent, BounceFacts()))
        except (ForcedFailure, ExpansionFailed, ExpansionDeferred):
            text = ""
        return text if text.lower() in CHARSETS else USUAL_CHARSET

    def _scope(self, parent: Queued, facts: BounceFacts) -> Scope:
        message = MessageFacts.of(parent.envelope, parent.message)
        facets: dict[type, object] = {type(parent.envelope.origin): parent.envelope.origin}
        return Scope({**facets, MessageFacts: message, BounceFacts: facts}, self._services)

    async def _texts(self, message_id: str, file: Template, kind: str, scope: Scope) -> Texts:
        option = f"{'bounce' if kind == 'error' else 'warn'}_message_file"
        try:
            path = plain(await file.expand(scope))
            if not path.startswith("/"):
                self._journal.panic(f"{message_id} {option} is not absolute after expansion: '{path}'")
                return USUAL_TEXTS
            text = await self._files.read(path)
        except ForcedFailure:
            return USUAL_TEXTS
        except (ExpansionFailed, ExpansionDeferred):
            self._journal.panic(f"{message_id} Failed to expand {option}: '{file.source}'")
            return USUAL_TEXTS
        except TextFileTrouble as trouble:
            self._journal.panic(f"{message_id} {trouble} ({kind} message texts)")
            return USUAL_TEXTS
        if text is None:
            self._journal.panic(
                f"{message_id} Failed to open {path} for {kind} message texts: No such file or directory"
            )
            return USUAL_TEXTS
        names = ("header", "intro", "text from pipe" if kind == "error" else "final")
        items = [
            await self._item(message_id, item, name, scope)
            for item, name in zip(items_of(text), names, strict=True)
        ]
        return Texts(items[0].removesuffix("\n"), items[1], items[2], is_own=True)

    async def _item(self, message_id: str, item: str, name: str, scope: Scope) -> str:
        if not item.strip():
            return ""
        try:
            return await Template.parse(item).expand(scope)
        except (ExpandSyntaxError, ExpansionFailed, ExpansionDeferred) as error:
            why = error.message if isinstance(error, ExpandSyntaxError) else str(error)
            self._journal.panic(
                f"{message_id} Failed to expand string from bounce_message_file or warn_message_file ({name}): {why}"
            )
            return ""


def items_of(text: str) -> list[str]:
    """The first three items of a file of texts, each with its newlines; missing ones are empty."""
    items = [""]
    for line in text.splitlines(keepends=True):
        if line.rstrip("\n") == _DIVIDER:
            items.append("")
        else:
            items[-1] += line
    return (items + [""] * _ITEMS)[:_ITEMS]
