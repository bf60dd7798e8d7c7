"""Paths in MAIL and RCPT as Exim reads them, with what is wrong in Exim's words (Exim 15, "SMTP syntax"; 49).

Nearly all are plain and are taken by one pattern; the rest goes through the reader of `language.addresses`. Non-ASCII text needs SMTPUTF8, or
`allow_utf8_domains`, although Exim lets it pass in local parts (docs/exim-compatibility.md, non-ascii-local-part).
"""

from __future__ import annotations

import ipaddress
import re

import msgspec

from pillarbox.language.addresses import EMPTY, MAX_ADDRESS, AddressError, working_address
from pillarbox.wire.smtp.grammar import BadSyntax, ReadPath

_PLAIN = re.compile(
    r"<([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9][A-Za-z0-9-]*)*)>"
)
_LAST_DOT = re.compile(r"(?<=[^.\]])\.(>?)\Z")


class PathRules(msgspec.Struct, frozen=True, kw_only=True):
    """Options of these names."""

    strip_excess_angle_brackets: bool = False
    strip_trailing_dot: bool = False
    allow_domain_literals: bool = False
    allow_utf8_domains: bool = False


def path_reader(rules: PathRules) -> ReadPath:
    def read(path: str, utf8: bool) -> str:
        plain = _PLAIN.fullmatch(path)
        if plain is not None and len(path) <= MAX_ADDRESS:
            return plain[1]
        return _read(path, rules, utf8=utf8)

    return read


def _read(path: str, rules: PathRules, *, utf8: bool) -> str:
    utf8 = utf8 or rules.allow_utf8_domains
    if not path.isascii() and not (utf8 and _is_utf8(path)):
        raise BadSyntax("non-ASCII text without SMTPUTF8")
    text = stripped(path.strip(" \t"), rules)
    try:
        found = working_address(
            text, allow_null=True, utf8_domain=utf8, takes_literals=rules.allow_domain_literals
        )
    except AddressError as error:
        raise BadSyntax(str(error)) from error
    if not found.address and found.start == len(text):
        raise BadSyntax(EMPTY)
    domain = found.address[found.domain_at :] if found.domain_at else ""
    if domain[:1] == "[":
        _check_literal(domain, rules)
    return found.address


def stripped(text: str, rules: PathRules) -> str:
    """Without what the rules pass over: brackets around brackets, a dot at the end."""
    if rules.strip_excess_angle_brackets:
        while text.startswith("<<") and text.endswith(">>"):
            text = text[1:-1]
    return _LAST_DOT.sub(r"\1", text) if rules.strip_trailing_dot else text


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_literal(domain: str, rules: PathRules) -> None:
    if not rules.allow_domain_literals:
        raise BadSyntax("domain literals not allowed")
    text = domain[1:-1]
    text = text[5:] if text[:5].lower() == "ipv6:" else text
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise BadSyntax("malformed domain literal") from None
