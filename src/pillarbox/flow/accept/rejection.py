"""Verdicts as replies and log lines."""

from __future__ import annotations

from typing import assert_never

from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop, Verdict
from pillarbox.mail.envelope import Origin
from pillarbox.mail.reply import Reply

DENIED = "Administrative prohibition"
DEFERRED = "Temporary local problem - please try later"


def reply_to(verdict: Verdict, accepted: Reply, *, code: int = 550, enhanced: str = "5.7.1") -> Reply:
    """The reply for a verdict; `accepted` when it is favourable (a configured text replaces its own)."""
    match verdict:
        case Accept(text=text):
            return Reply(accepted.code, text, accepted.enhanced) if text else accepted
        case Discard():
            return accepted
        case Deny(reason=reason) | Drop(reason=reason):
            return with_own_code(Reply(code, reason.peer or DENIED, enhanced))
        case Defer(reason=reason):
            return with_own_code(Reply(451, reason.peer or DEFERRED, "4.7.1"))
        case _ as unreachable:
            assert_never(unreachable)


def with_own_code(reply: Reply) -> Reply:
    """A message may begin with codes of its own, of the same class (Exim 43.20): `550 5.1.1 no such user`."""
    words = reply.text.split(" ", 2)
    first = words[0]
    if len(first) != 3 or not first.isdigit() or first[0] != str(reply.code)[0] or len(words) < 2:
        return reply
    second = words[1]
    if second[:2] == f"{first[0]}." and second.replace(".", "").isdigit() and len(words) == 3:
        return Reply(int(first), words[2], second)
    return Reply(int(first), reply.text[4:], reply.enhanced)


def describe_host(origin: Origin) -> str:
    """Exim's `H=name (helo) [address]`, with what is known."""
    helo = f"({origin.helo}) " if origin.helo and origin.helo.lower() != origin.host_name.lower() else ""
    name = f"{origin.host_name} " if origin.host_name else ""
    tls = f" X={origin.tls_cipher}" if origin.tls_cipher else ""
    who = f" A={origin.authenticator}:{origin.authenticated_id}" if origin.authenticator else ""
    return f"H={name}{helo}[{origin.host_address}]{tls}{who}"
