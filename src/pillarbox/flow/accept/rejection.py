"""Verdicts as replies and log lines."""

from __future__ import annotations

import re
from typing import assert_never

from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop, Verdict
from pillarbox.mail.envelope import Origin
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import sending_host

DENIED = "Administrative prohibition"
DEFERRED = "Temporary local problem - please try later"
_CODES = re.compile(r"([2345][0-9][0-9])(?: ([245]\.[0-9]{1,3}\.[0-9]{1,3}))?(?: |\Z)")


def reply_to(verdict: Verdict, accepted: Reply, *, code: int = 550, enhanced: str = "5.7.1") -> Reply:
    """The reply for a verdict; `accepted` when it is favourable (a configured text replaces its own)."""
    match verdict:
        case Accept(text=text):
            return with_own_code(Reply(accepted.code, text, accepted.enhanced)) if text else accepted
        case Discard(reason=reason):
            text = reason.peer
            return with_own_code(Reply(accepted.code, text, accepted.enhanced)) if text else accepted
        case Deny(reason=reason) | Drop(reason=reason):
            return with_own_code(Reply(code, reason.peer or DENIED, enhanced))
        case Defer(reason=reason):
            return with_own_code(Reply(451, reason.peer or DEFERRED, "4.7.1"))
        case _ as unreachable:
            assert_never(unreachable)


def with_own_code(reply: Reply) -> Reply:
    """A message may begin with codes of its own (Exim 44.12): `550 5.1.1 no such user`. Codes of another class are taken off."""
    found = _CODES.match(reply.text)
    if found is None:
        return reply
    text = reply.text[found.end() :]
    if found.group(1)[0] != str(reply.code)[0]:
        return Reply(reply.code, text, reply.enhanced)
    enhanced = found.group(2) or ""
    is_same_class = enhanced[:1] == found.group(1)[0]
    return Reply(int(found.group(1)), text, enhanced if is_same_class else reply.enhanced)


def describe_host(origin: Origin) -> str:
    """Exim's `H=name (helo) [address]`, with `X=` and `A=` as far as they are known."""
    tls = f" X={origin.tls_cipher}" if origin.tls_cipher else ""
    who = f" A={origin.authenticator}:{origin.authenticated_id}" if origin.authenticator else ""
    host = f"H={sending_host(origin)}" if origin.host_address else f"U={origin.ident}"
    return f"{host}{tls}{who}"
