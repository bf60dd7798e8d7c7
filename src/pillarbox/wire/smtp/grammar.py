"""The grammar of SMTP's arguments: paths, mailboxes, parameters, xtext, the HELO name.

Strict as RFC 5321 §4.1.2 has it, with three liberties that Exim takes too: a path may stand without angle brackets, white space
may stand behind `FROM:`, and a local part is not cut at 64 octets (VERP and SRS make longer ones). Source routes are taken and dropped
(RFC 5321 appendix C). Non-ASCII text needs SMTPUTF8 (RFC 6531 §3.3). General-address-literals are refused: none is registered but IPv6.

Every pattern is compiled here, and none can backtrack more than linearly: each alternative begins with another character.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

MAX_PATH = 512
MAX_DOMAIN = 255

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_UATEXT = r"[^\x00-\x20\x22(),.:-<>@\[-\]\x7f]"
"""Classes with all that is beyond ASCII are written as what they leave out: `re` takes milliseconds over each large range."""
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_ULABEL = r"[^\x00-/:-@\[-`{-\x7f](?:[^\x00-,./:-@\[-`{-\x7f]{0,61}[^\x00-/:-@\[-`{-\x7f])?"
_UQUOTED = r'"(?:[^\x00-\x1f"\\\x7f-\x9f]|\\[ -~])*"'

_MAILBOX = re.compile(
    rf"(?:[{_ATEXT}]+(?:\.[{_ATEXT}]+)*|{_QUOTED})(?:@((?:{_LABEL}\.)*{_LABEL}|\[[^\[\]\\ ]+\]))?"
)
_UMAILBOX = re.compile(
    rf"(?:{_UATEXT}+(?:\.{_UATEXT}+)*|{_UQUOTED})"
    rf"(?:@((?:{_ULABEL}\.)*{_ULABEL}|\[[^\[\]\\ ]+\]))?"
)
_SOURCE_ROUTE = re.compile(rf"@(?:{_LABEL}\.)*{_LABEL}(?:,@(?:{_LABEL}\.)*{_LABEL})*:")

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-Fa-f]{2})+")
_HEX = re.compile(r"\+([0-9A-Fa-f]{2})")
_WORD = re.compile(r"[^\x00-\x20\x7f]+")
_HELO = re.compile(r"[A-Za-z0-9.-]+|\[[A-Za-z0-9:.]+\]")
_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")


class BadSyntax(ValueError):
    """The text does not follow the grammar; `str()` says how, fit for the peer to read."""


ReadPath = Callable[[str, bool], str]
"""(path as written, whether SMTPUTF8 was asked for) → the address, empty for `<>`. Raises BadSyntax."""


def read_path(path: str, utf8: bool = False) -> str:
    """The strict grammar; the session may bring another with Exim's liberties."""
    bracketed = path[:1] == "<" and path[-1:] == ">"
    inner = path[1:-1] if bracketed else path
    return parse_mailbox(inner, utf8=utf8) if inner else ""


def parse_mailbox(path: str, *, utf8: bool = False) -> str:
    """Check a path and drop its source route: `@a,@b:user@example.org` → `user@example.org`.

    An address without a domain is returned as it is: whether it may be is policy. Raises BadSyntax.
    """
    pattern = _UMAILBOX if utf8 else _MAILBOX
    match = pattern.fullmatch(path)
    if match is None:
        route = _SOURCE_ROUTE.match(path)
        path = path[route.end() :] if route else path
        match = pattern.fullmatch(path)
        if match is None:
            raise BadSyntax(_say_what_is_wrong(path, utf8=utf8))
    if len(path) > MAX_PATH:
        raise BadSyntax("address is ridiculously long")
    domain = match.group(1)
    if domain is not None:
        if len(domain) > MAX_DOMAIN:
            raise BadSyntax("domain is too long")
        if domain[0] == "[" and not is_address_literal(domain):
            raise BadSyntax("malformed domain literal")
    return path


def _say_what_is_wrong(path: str, *, utf8: bool) -> str:
    if not utf8 and not path.isascii():
        return "address needs SMTPUTF8"
    _, at, domain = path.rpartition("@")
    if at and not re.fullmatch(rf"(?:{_ULABEL}\.)*{_ULABEL}|\[[^\[\]\\ ]+\]", domain):
        return "domain missing or malformed"
    return "missing or malformed local part"


def is_address_literal(domain: str) -> bool:
    """`[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3)."""
    text = domain[1:-1]
    try:
        if text[:5].upper() == "IPV6:":
            return "%" not in text and bool(ipaddress.IPv6Address(text[5:]))
        return bool(ipaddress.IPv4Address(text))
    except ValueError:
        return False


def is_xtext(text: str) -> bool:
    """RFC 3461 §4."""
    return _XTEXT.fullmatch(text) is not None


def is_word(text: str) -> bool:
    """What ENVID and ORCPT may say here, as with Exim: anything without blanks. They are for who reads a report; nobody else looks into them
    (RFC 3461 §4.2, §4.4)."""
    return _WORD.fullmatch(text) is not None


def decode_xtext(text: str) -> str:
    """`a+2Bb` → `a+b`."""
    return _HEX.sub(lambda match: chr(int(match.group(1), 16)), text)


def encode_xtext(text: str) -> str:
    """`a+b` → `a+2Bb`. Raises BadSyntax for text outside ASCII, which xtext cannot hold."""
    if not text.isascii():
        raise BadSyntax("xtext cannot hold non-ASCII text")
    return _NOT_XTEXT.sub(lambda match: f"+{ord(match.group()):02X}", text)


def is_helo_name(name: str, allow_chars: str = "") -> bool:
    """Whether HELO's argument is a domain or an address literal. `allow_chars`: Exim's `helo_allow_chars`."""
    if name[:1] == "[" and _is_address(name[1:-1]):
        return name[-1:] == "]"
    if allow_chars:
        name = "".join(char for char in name if char not in allow_chars)
    return _HELO.fullmatch(name) is not None and (name[0] != "[" or _is_address(name[1:-1]))


def _is_address(text: str) -> bool:
    """What may stand between brackets in HELO: an IPv6 address may lack its tag there, as with Exim."""
    is_tagged = text[:5].upper() == "IPV6:"
    try:
        return ipaddress.ip_address(text[5:] if is_tagged else text).version == 6 or not is_tagged
    except ValueError:
        return False
