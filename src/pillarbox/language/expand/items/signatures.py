"""Signed addresses: `${prvs}` and `${prvscheck}` (BATV, Exim 44.27), `${srs_encode}` (Exim 58.2.1), and `${hmac}` (Exim 11.5)."""

from __future__ import annotations

import hashlib
import hmac
import re

from pillarbox.language.addresses import AddressError, working_address
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.items.results import PrvsResult, leave
from pillarbox.language.expand.nodes import Node, apply
from pillarbox.language.expand.octets import octets
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import like, tainted_by
from pillarbox.language.printing import quoted
from pillarbox.mail.address import split_address, unquote_local_part

DAY = 86400
_PRVS = re.compile(r"prvs=([0-9])([0-9]{3})([A-F0-9]{6})=(.+)@(.*)", re.IGNORECASE | re.ASCII | re.DOTALL)
_LIFETIME = 7
"""Days that a prvs signature holds."""
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\U0010ffff-]*")


@item("hmac")
def parse_hmac(parser: Parser) -> Node:
    at = parser.position
    return apply("hmac", at, _hmac, parser.braced_arguments("hmac", 3, 3), untaints=True)


def _hmac(algorithm: str, secret: str, text: str) -> str:
    if algorithm not in ("md5", "sha1"):
        raise ExpansionFailed(f'hmac algorithm "{quoted(algorithm)}" is not recognised')
    return hmac.new(octets(secret), octets(text), algorithm).hexdigest()


@item("prvs")
def parse_prvs(parser: Parser) -> Node:
    at = parser.position
    arguments = parser.braced_arguments("prvs", 2, 3)

    def evaluate(scope: Scope) -> str:
        texts = [argument.evaluate(scope) for argument in arguments]
        number = texts[2] if len(texts) == 3 else "0"
        if not split_address(texts[0])[1] or not split_address(texts[0])[0]:
            raise ExpansionFailed("prvs first argument must be a qualified email address")
        if not (len(number) == 1 and number.isascii() and number.isdigit()):
            raise ExpansionFailed("prvs third argument must be a single digit")
        day = f"{(_today(scope) + _LIFETIME) % 1000:03d}"
        signature = _signature(str(texts[0]), texts[1], number, day)
        return tainted_by(f"prvs={number}{day}{signature}={texts[0]}", texts)

    return Node("prvs", at, evaluate, arguments)


def _today(scope: Scope) -> int:
    return int(scope.services.clock.now() // DAY)


def _signature(address: str, secret: str, number: str, day: str) -> str:
    return hmac.new(octets(secret), octets(f"{number}{day}{address}"), hashlib.sha1).hexdigest()[:6]


@item("prvscheck")
def parse_prvscheck(parser: Parser) -> Node:
    at = parser.position
    address = parser.braced("prvscheck", "Not enough arguments for 'prvscheck' (min is 1)")
    parser.skip_space()
    if parser.peek() != "{":
        raise parser.fail("Not enough arguments for 'prvscheck' (min is 1)")
    rest = _arguments(parser)
    secret, result = rest[0], rest[1] if len(rest) == 2 else None

    def evaluate(scope: Scope) -> str:
        given = address.evaluate(scope)
        found = _PRVS.fullmatch(given)
        if found is None:
            return ""
        number, day, signature, local, domain = found.groups()
        bare = like(f"{local}@{domain}", given)
        leave(scope, PrvsResult(bare, number, is_good=False))
        expected = _signature(str(bare), secret.evaluate(scope), number, day)
        is_good = hmac.compare_digest(expected, signature.lower()) and _is_still_good(int(day), _today(scope))
        leave(scope, PrvsResult(bare, number, is_good))
        value = result.evaluate(scope) if result is not None else ""
        leave(scope, PrvsResult("", "", is_good))
        return value or bare

    children = [address, secret] if result is None else [address, secret, result]
    return Node("prvscheck", at, evaluate, children)


def _arguments(parser: Parser) -> list[Node]:
    return parser.braced_arguments("prvscheck", 1, 2)


def _is_still_good(day: int, today: int) -> bool:
    """Days are counted modulo 1000; the signature names the day from which on it is no longer good."""
    return 0 < (day - today % 1000) % 1000 <= 500


@item("srs_encode")
def parse_srs_encode(parser: Parser) -> Node:
    at = parser.position
    arguments = parser.braced_arguments("srs_encode", 3, 3)

    def evaluate(scope: Scope) -> str:
        texts = [argument.evaluate(scope) for argument in arguments]
        secret, sender, domain = map(str, texts)
        return tainted_by(srs_encode(secret, sender, domain, _today(scope)), texts)

    return Node("srs_encode", at, evaluate, arguments)


def srs_encode(secret: str, sender: str, domain: str, today: int) -> str:
    """The sender rewritten so that its bounces come to `domain` (libsrs' SRS0)."""
    if not sender:
        return ""
    try:
        address = working_address(sender).address
    except AddressError as error:
        raise ExpansionFailed(str(error)) from None
    local, its_domain = split_address(address)
    bare = unquote_local_part(local)
    signature = srs_signature(secret, address)
    encoded = f"SRS0={signature}={srs_day(today)}={its_domain}={bare}"
    if bare != local or not _ATOMS.fullmatch(bare):
        encoded = f'"{encoded}"'
    return f"{encoded}@{domain}"


def srs_signature(secret: str, address: str) -> str:
    return hmac.new(octets(secret), octets(address.lower()), hashlib.md5).hexdigest()[:4]


def srs_day(today: int) -> str:
    return _BASE32[today >> 5 & 31] + _BASE32[today & 31]


def srs_day_number(text: str) -> int:
    return _BASE32.find(text[0]) * 32 + _BASE32.find(text[1])
