"""The caller's own login where it is the sender: the system says who calls, so it is no data from outside, as with Exim.

What `-f` gives is.
"""

from __future__ import annotations

from typing import NamedTuple

from pillarbox.language.expand.registry import variable
from pillarbox.mail.address import split_address

_RANK = 9


class OwnLogin(NamedTuple):
    login: str


class OwnSender(NamedTuple):
    """The caller is the sender: nothing else was asked for."""

    login: str
    address: str


@variable("sender_ident", OwnLogin, doc="The caller's login name.", tainted=False, rank=_RANK)
def sender_ident(own: OwnLogin) -> str:
    return own.login


@variable("authenticated_id", OwnSender, doc="The caller's login name.", tainted=False, rank=_RANK)
def authenticated_id(own: OwnSender) -> str:
    return own.login


@variable("authenticated_sender", OwnSender, doc="The caller's address.", tainted=False, rank=_RANK)
@variable("sender_address", OwnSender, doc="The caller's address.", tainted=False, rank=_RANK)
def sender_address(own: OwnSender) -> str:
    return own.address


@variable("sender_address_local_part", OwnSender, doc="The caller's login name.", tainted=False, rank=_RANK)
def sender_address_local_part(own: OwnSender) -> str:
    return split_address(own.address)[0]


@variable(
    "sender_address_domain", OwnSender, doc="Domain of the caller's address.", tainted=False, rank=_RANK
)
def sender_address_domain(own: OwnSender) -> str:
    return split_address(own.address)[1]
