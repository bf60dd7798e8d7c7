"""`spam = user:true/defer_ok` (Exim 45.3): SpamAssassin takes the message for spam, or (`:true`) has rated it.

The rating is kept for the message and user when `spamd_address` holds nothing to expand. The score is kept
with the message. Known gap: `variant=rspamd`.
"""

from __future__ import annotations

import msgspec

from pillarbox.flow.check.acl.state import AclState, CheckDeferred, expand_argument
from pillarbox.flow.check.acl.templated import TemplateCondition
from pillarbox.flow.check.scan.scanned import mailbox_form
from pillarbox.flow.check.scan.setting import SettingFailed, expand_setting
from pillarbox.flow.check.scan.spamd import Rating, Server, in_order, read_answer, read_servers, request
from pillarbox.flow.facets.content import ScanFacts
from pillarbox.flow.facets.session import VerifyFacts
from pillarbox.flow.settings.content import Content
from pillarbox.mail.reply import Reason
from pillarbox.ports.sockets import Sockets, SocketTrouble, SocketWish

LONGEST_REPORT = 64 * 1024
_WHO = "spam acl condition:"


class SpamTrouble(Exception):
    """There is no rating. `str()` is for the panic log."""


class Spam(TemplateCondition, condition="spam"):
    __slots__ = ()

    async def holds(self, state: AclState) -> bool:
        text, *options = (await expand_argument(self._template, state)).split("/")
        user, _, always = (part.strip() for part in text.partition(":"))
        if user.lower() in ("", "0", "false"):
            return False
        try:
            rating = await _rated(user, state)
        except SpamTrouble as trouble:
            state.log(f"{_WHO} {trouble}", state.services.log.panic)
            if any(option.strip() == "defer_ok" for option in options):
                return False
            raise CheckDeferred(Reason("")) from None
        return rating.is_spam or always.lower() in ("1", "true")


async def _rated(user: str, state: AclState) -> Rating:
    """Raises SpamTrouble."""
    message, kept, key = mailbox_form(state, "spam"), state.memory.scans, f"spam/{user}"
    addresses, is_constant = await _addresses(state)
    known = kept.get(key) if is_constant else None
    if known is None:
        known = kept[key] = await _ask_one(addresses, request(user, message), state)
    rating, address = known
    scanned = msgspec.structs.replace(
        state.scope.facet(ScanFacts) or ScanFacts(),
        spam_score=f"{rating.score:.1f}",
        spam_score_int=str(rating.score_int),
        spam_bar=rating.bar,
        spam_report=rating.report,
        spam_action="reject" if rating.is_spam else "no action",
    )
    state.facts.reception = msgspec.structs.replace(
        state.facts.reception,
        spam_score=scanned.spam_score,
        spam_score_int=scanned.spam_score_int,
        spam_bar=scanned.spam_bar,
        spam_report=scanned.spam_report,
        spam_action=scanned.spam_action,
    )
    verified = msgspec.structs.replace(
        state.scope.facet(VerifyFacts) or VerifyFacts(), callout_address=address
    )
    state.scope = state.scope.with_facets({ScanFacts: scanned, VerifyFacts: verified})
    return rating


async def _ask_one(addresses: str, asked: bytes, state: AclState) -> tuple[Rating, str]:
    clock, log = state.scope.services.clock, state.services.log
    servers, wrong = read_servers(addresses)
    for text in wrong:
        state.log(f"{_WHO} {text}", log.main)
    if not servers:
        raise SpamTrouble("no useable spamd server addresses in spamd_address configuration option.")
    for server in in_order(servers, clock.now()):
        for wish in server.wishes(asked):
            address = wish.path or f"[{wish.host}]:{wish.port}"
            answer = await _connected(wish, server, state)
            if answer is None:
                continue
            rating = read_answer(answer)
            if rating is None:
                raise SpamTrouble(f"cannot parse spamd {address} output")
            return rating, address
    raise SpamTrouble("all spamd servers failed")


async def _connected(wish: SocketWish, server: Server, state: AclState) -> bytes | None:
    """What the server says; None: nobody is there, and that is logged."""
    sockets = state.scope.facet(Sockets)  # type: ignore[type-abstract]
    assert sockets is not None
    for wait in (server.retry, 0.0):
        try:
            return await sockets.ask(wish, timeout=server.timeout, limit=LONGEST_REPORT)
        except SocketTrouble as trouble:
            if "connect" not in str(trouble):
                where = wish.path or f"[{wish.host}]:{wish.port}"
                raise SpamTrouble(f"error reading from spamd {where}, socket: {trouble}") from None
            if not wait:
                state.log(f"{_WHO} spamd: {trouble}", state.services.log.main)
                return None
        await state.scope.services.clock.sleep(min(wait, server.timeout))
    return None


async def _addresses(state: AclState) -> tuple[str, bool]:
    """`spamd_address`, and whether it is the same for all messages. Raises SpamTrouble."""
    setting = (state.scope.facet(Content) or Content()).spamd_address
    if not setting.startswith("$"):
        return setting, True
    try:
        return await expand_setting(setting, state.scope), False
    except SettingFailed as error:
        raise SpamTrouble(f"spamd_address starts with $, but expansion failed: {error}") from None
