"""`inbound_srs{local part}{secret}`: whether it is an SRS address of ours; `$srs_recipient` is what it stands for (Exim 58.2.2)."""

from __future__ import annotations

import hmac
import re

from pillarbox.language.expand.conditions.arguments import nested_arguments
from pillarbox.language.expand.items.results import SrsResult, leave
from pillarbox.language.expand.items.signatures import DAY, srs_day_number, srs_signature
from pillarbox.language.expand.nodes import Condition
from pillarbox.language.expand.operators.text import lc, quote_local_part
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import condition
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import like

_SRS0 = re.compile(r"(?i:SRS0)=([^=]+)=([a-z2-7]{2})=([^=]*)=(.*)", re.DOTALL)
_LIFETIME = 10
"""Days that an address is good."""


@condition("inbound_srs")
def parse_inbound_srs(parser: Parser, name: str) -> Condition:
    at = parser.position
    local_part, secret = nested_arguments(parser, name, 2, 2)

    def test(scope: Scope) -> bool:
        local, key = local_part.evaluate(scope), secret.evaluate(scope)
        recipient = decoded(str(local), str(key), int(scope.services.clock.now() // DAY))
        if recipient is None:
            return False
        leave(scope, SrsResult(like(recipient, local)))
        return True

    return Condition(name, at, test, [local_part, secret])


def decoded(local_part: str, secret: str, today: int) -> str | None:
    """The address inside, in lower case. Without a secret neither signature nor day are checked."""
    found = _SRS0.fullmatch(local_part)
    if found is None:
        return None
    signature, day, domain, local = found.groups()
    local, domain = lc(local), lc(domain)
    address = f"{quote_local_part(local)}@{domain}" if domain else quote_local_part(local)
    if not secret:
        return address
    age = (today - srs_day_number(day)) % 1024
    is_signed = hmac.compare_digest(
        srs_signature(secret, address).encode(), signature.lower().encode("utf-8", "surrogateescape")
    )
    return address if age <= _LIFETIME and is_signed else None
