"""Error names of retry rules and what failures they cover (Exim 32.5)."""

from __future__ import annotations

import re

from pillarbox.language.retry.parameters import RetrySyntaxError, parse_time
from pillarbox.mail.interval import show_interval

_PLAIN = frozenset(
    {"auth_failed", "lookup", "lost_connection", "quota", "refused", "timeout", "tls_required"}
)
_WITH_HOST = re.compile(r"(refused|timeout|timeout_connect)_(a|mx)")
_RESPONSE = re.compile(r"(mail|rcpt|data)_4(.*)")
_DIGITS = re.compile(r"\d\d|\dx|xx")
_SHOWN = ("auth_failed", "quota", "refused", "timeout")
"""What `-brt` prints by name; others it shows as `*`."""


def parse_error_name(text: str) -> str:
    """The name as rules keep it. Raises RetrySyntaxError, in Exim's words."""
    name = text.lower()
    if name == "*" or name in _PLAIN or name == "timeout_connect":
        return name
    if name == "timeout_dns":
        return "timeout"
    if found := _WITH_HOST.fullmatch(name):
        return f"{found.group(1)}_{found.group(2).upper()}"
    if name.startswith("timeout_"):
        raise RetrySyntaxError('"A", "MX", or "connect" expected after "timeout"')
    if name.startswith("refused_"):
        raise RetrySyntaxError('A or MX expected after "refused"')
    if found := _RESPONSE.fullmatch(name):
        if _DIGITS.fullmatch(text[6:]) is None:
            raise RetrySyntaxError(
                f"{name[:6]} must be followed by xx, dx, or dd, where x is literal and d is any digit"
            )
        return name
    if name.startswith("quota_"):
        seconds = parse_time(text[6:])
        if not seconds:
            raise RetrySyntaxError("bad time value")
        return f"quota_{show_interval(seconds)}"
    raise RetrySyntaxError(f'unknown or malformed retry error "{text}"')


def show_error_name(name: str) -> str:
    return name if name.startswith(_SHOWN) else "*"


def as_failure(name: str) -> tuple[str, str]:
    """(error, detail) of a failure that a rule's error name describes, for `covers`."""
    if name == "*":
        return "", ""
    if found := _RESPONSE.fullmatch(name):
        return f"{found.group(1)}_4xx", name[5:]
    if name.startswith("quota_"):
        return "quota", str(parse_time(name[6:]) or 0)
    base, _, host = name.rpartition("_")
    if host in ("A", "MX"):
        return base, host
    return name, ""


def covers(rule_error: str, error: str, detail: str) -> bool:
    """Whether a rule for `rule_error` is for a failure called `error` with `detail` (see `mail.outcome.Deferred`).

    `detail` is `A` or `MX` for refusals and time-outs, the three digits for `mail_4xx`, `rcpt_4xx` and `data_4xx`, and for
    `quota` the seconds since the mailbox was read, if known.
    """
    if rule_error == "*":
        return True
    if not error:
        return False
    if error.endswith("_4xx"):
        return _same_code(rule_error, error, detail)
    if rule_error == error:
        return True
    if error.startswith(("refused", "timeout")):
        return (
            f"{error}_{detail}" == rule_error
            or error.startswith(f"{rule_error}_")
            or _any_timeout(rule_error, error, detail)
        )
    return error == "quota" and rule_error.startswith("quota_") and _unread_for(rule_error[6:], detail)


def _any_timeout(rule_error: str, error: str, detail: str) -> bool:
    """`timeout_A` and `timeout_MX` cover time-outs of connecting too."""
    return error.startswith("timeout") and rule_error == f"timeout_{detail}"


def _same_code(rule_error: str, error: str, detail: str) -> bool:
    verb, _, wanted = rule_error.partition("_")
    if not error.startswith(f"{verb}_") or len(wanted) != 3:
        return False
    if len(detail) != 3:
        return wanted == "4xx"
    return all(want in ("x", digit) for want, digit in zip(wanted, detail, strict=True))


def _unread_for(period: str, detail: str) -> bool:
    return detail.isascii() and detail.isdigit() and int(detail) >= (parse_time(period) or 0)
