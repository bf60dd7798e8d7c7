"""`dnslists` (Exim 44.18): the sending host, or whatever a key names, is in a list that the DNS publishes (check/dnsbl.py)."""

from __future__ import annotations

from functools import partial
from typing import Self

from pillarbox.flow.check import dnsbl
from pillarbox.flow.check.acl.condition import AclSyntaxError, Condition
from pillarbox.flow.check.acl.forbidden import NOT_SMTP
from pillarbox.flow.check.acl.state import AclState, CheckDeferred, CheckFailed, expand_argument, place_name
from pillarbox.flow.check.dnsbl import DnslistsError, Item, Listing, Undecided
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.registry import variable
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.reply import Reason


@variable("dnslist_domain", Listing, doc="The DNS list that something was found in.")
def dnslist_domain(listing: Listing) -> str:
    return listing.domain


@variable("dnslist_value", Listing, doc="The addresses that the DNS list answered, divided by commas.")
def dnslist_value(listing: Listing) -> str:
    return listing.value


@variable("dnslist_text", Listing, doc="What the DNS list's TXT record says.")
def dnslist_text(listing: Listing) -> str:
    return listing.text


@variable("dnslist_matched", Listing, doc="The address or name that was found in the DNS list.")
def dnslist_matched(listing: Listing) -> str:
    return listing.key


class DnsLists(Condition, condition="dnslists"):
    __slots__ = ("_items", "_template")

    def __init__(self, template: Template, items: list[Item] | None) -> None:
        self._template = template
        self._items = items
        """Where they can be told without expanding anything."""

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        template = Template.parse(text)
        constant = template.node.constant
        if constant is None:
            return cls(template, None)
        try:
            return cls(template, dnsbl.parse(constant))
        except DnslistsError as error:
            raise AclSyntaxError(str(error)) from None

    async def holds(self, state: AclState) -> bool:
        items = self._items
        if items is None:
            text = await expand_argument(self._template, state)
            state.tell(f"expanded list: {text}", at_left=True)
            items = _parse_late(text)
        if state.where in NOT_SMTP and any(item.keys is None for item in items):
            raise CheckFailed(f"cannot test auto-keyed dnslists condition in {place_name(state.where)} ACL")

        def note(selector: str, line: str) -> None:
            if line.startswith(dnsbl.IGNORED):
                state.panic(line)
            elif not selector or state.services.log_style.shows(selector):
                state.log(line, state.services.log.main)

        tale = dnsbl.Tale()
        if state.say is not None:
            asked = state.memory.connection.scans.setdefault("dnslists", set())
            tale = dnsbl.Tale(partial(state.tell, at_left=True), asked)
        try:
            listing = await dnsbl.find(
                items, state.connection.host_address, state.scope.services.resolver, note, tale
            )
        except Undecided:
            raise CheckDeferred(Reason("")) from None
        if listing is None:
            return False
        state.scope = state.scope.with_facet(Listing, listing)
        return True


def _parse_late(text: str) -> list[Item]:
    try:
        return dnsbl.parse(text)
    except DnslistsError as error:
        raise ExpansionFailed(str(error)) from None
