"""The text of `verify`, read: what is verified, and the options behind slashes (Exim 44.17, 44.21)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pillarbox.config.errors import OptionError
from pillarbox.flow.check.acl.state import VerifyWish
from pillarbox.flow.check.acl.unsupported import NotYet
from pillarbox.flow.check.callout_wish import CalloutMistake, CalloutWish, read_callout
from pillarbox.flow.check.quota_wish import QuotaWish, read_quota

WHAT = (
    "arc",
    "certificate",
    "csa",
    "header_names_ascii",
    "header_sender",
    "header_syntax",
    "helo",
    "not_blind",
    "recipient",
    "reverse_host_lookup",
    "sender",
)
TAKES_OPTIONS = frozenset({"header_sender", "recipient", "reverse_host_lookup", "sender"})


_WITHOUT_OPTIONS = frozenset({"certificate", "header_names_ascii", "header_syntax", "helo"})
_PASSES_OVER = frozenset({"reverse_host_lookup"})
_EXPECTED = (
    'expected "sender[=address]", "recipient", "helo", "header_syntax", "header_sender", "header_names_ascii" '
    'or "reverse_host_lookup"'
)


_OLD: Mapping[str, Mapping[str, object]] = {
    "callout_defer_ok": {"is_defer_ok": True},
    "check_postmaster": {"postmaster_sender": ""},
}
"""Words of Exim before 4.20 that wish for a callout too."""


class VerifyMistake(ValueError):
    """`str()` is what is wrong, in Exim's words."""


class VerifyLine(msgspec.Struct, frozen=True):
    what: str
    address: str | None = None
    """Of `sender=address`; of `csa/name`."""
    wish: VerifyWish = VerifyWish()
    is_defer_ok: bool = False
    shows_details: bool = True
    ignores_case: bool = False


def read_verify(text: str) -> VerifyLine:
    """Raises VerifyMistake, and NotYet for what is not supported."""
    first, *options = (part.strip() for part in text.split("/"))
    what, equals, address = (part.strip() for part in first.partition("="))
    what = what.lower()
    if what not in WHAT or (equals and what != "sender"):
        raise VerifyMistake(f'{_EXPECTED} at start of ACL condition "verify {text.strip()}"')
    if options and what in _WITHOUT_OPTIONS:
        raise VerifyMistake(f"unexpected '/' found in \"{text.strip()}\" (this verify item has no options)")
    if what == "csa":
        return VerifyLine(what, text.partition("/")[2].strip() or None)
    if what == "arc":
        raise NotYet("verify = arc", "refused")
    found: dict[str, object] = {}
    callout: CalloutWish | None = None
    quota: QuotaWish | None = None
    for option in options if what not in _PASSES_OVER else ():
        name, has_value, value = (part.strip() for part in option.partition("="))
        if name == "callout":
            callout = _callout(value, text)
            if callout.mailfrom and what != "header_sender":
                why = '"mailfrom" is allowed as a callout option only for verify=header_sender'
                raise VerifyMistake(f'{why} (detected in ACL condition "verify {text.strip()}")')
        elif name in _OLD and not has_value:
            callout = msgspec.structs.replace(callout or CalloutWish(), **_OLD[name])
        elif name == "quota":
            quota = _quota(what, value, text)
        elif has_value or not _take_flag(what, name, found):
            raise VerifyMistake(f'unknown option "{option}" in ACL condition "verify {text.strip()}"')
    redirect = bool(found.pop("succeeds_on_redirect", False))
    is_defer_ok = bool(found.pop("is_defer_ok", False))
    if is_defer_ok and callout is not None:
        callout = msgspec.structs.replace(callout, is_defer_ok=True)
    return VerifyLine(
        what,
        address if equals else None,
        VerifyWish(callout, redirect, quota),
        is_defer_ok,
        "no_details" not in found,
        "ignores_case" in found,
    )


def _callout(value: str, text: str) -> CalloutWish:
    try:
        return read_callout(value)
    except CalloutMistake as error:
        where = (
            f'verify condition "{text.strip()}"'
            if "=" in str(error)
            else f'condition "verify {text.strip()}"'
        )
        raise VerifyMistake(f"{error} in ACL {where}") from None


def _quota(what: str, value: str, text: str) -> QuotaWish:
    if what != "recipient":
        raise VerifyMistake("can only verify quota of recipient")
    try:
        return read_quota(value)
    except OptionError:
        raise VerifyMistake(f'bad time value in ACL condition "verify {text.strip()}"') from None


def _take_flag(what: str, name: str, found: dict[str, object]) -> bool:
    words = {
        "case_insensitive": "ignores_case" if what == "not_blind" else "",
        "defer_ok": "is_defer_ok",
        "no_details": "no_details",
        "success_on_redirect": "succeeds_on_redirect",
    }
    word = words.get(name, "")
    if word:
        found[word] = True
    return bool(word)
