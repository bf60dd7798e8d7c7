"""Error names of retry rules and what failures they cover (Exim 32.5)."""

from __future__ import annotations

import re

_FIXED = frozenset(
    {
        "*", "auth_failed", "host_lookup_failed", "lookup", "lost_connection", "quota", "refused", "refused_A",
        "refused_MX", "timeout", "timeout_A", "timeout_MX", "timeout_connect", "timeout_connect_A",
        "timeout_connect_MX", "timeout_DNS", "tls_required",
    }
)  # fmt: skip
_RESPONSE = re.compile(r"(mail|rcpt|data)_4(?:\d\d|\dx|xx)")
_QUOTA = re.compile(r"quota_(?:\d+[smhdw])+")


def is_error_name(name: str) -> bool:
    return name in _FIXED or bool(_RESPONSE.fullmatch(name)) or bool(_QUOTA.fullmatch(name))


def covers(rule_error: str, error: str, detail: str) -> bool:
    """Whether a rule for `rule_error` is for a failure called `error` with `detail` (see `mail.outcome.Deferred`).

    `detail` is `A` or `MX` for refusals and time-outs, the three digits for `mail_4xx`, `rcpt_4xx` and `data_4xx`, and for
    `quota` the seconds since the mailbox was read, if known.
    """
    if rule_error in ("*", error):
        return True
    if not error:
        return False
    if error.startswith(("refused", "timeout")):
        return (
            f"{error}_{detail}" == rule_error
            or error.startswith(rule_error)
            or _any_timeout(rule_error, error, detail)
        )
    if error.endswith("_4xx"):
        return _same_code(rule_error, error, detail)
    return error == "quota" and rule_error.startswith("quota_") and _unread_for(rule_error[6:], detail)


def _any_timeout(rule_error: str, error: str, detail: str) -> bool:
    """`timeout_A` and `timeout_MX` cover time-outs of connecting too."""
    return error.startswith("timeout") and rule_error == f"timeout_{detail}"


def _same_code(rule_error: str, error: str, detail: str) -> bool:
    verb, _, wanted = rule_error.partition("_")
    if not error.startswith(verb) or len(wanted) != 3 or len(detail) != 3:
        return False
    return all(want in ("x", digit) for want, digit in zip(wanted, detail, strict=True))


def _unread_for(period: str, detail: str) -> bool:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    wanted = sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([smhdw])", period))
    return detail.isdigit() and int(detail) >= wanted
