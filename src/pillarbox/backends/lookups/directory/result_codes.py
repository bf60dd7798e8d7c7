"""What libldap calls the result codes of RFC 4511 §4.1.9, which are in Exim's error texts."""

from __future__ import annotations

_TEXTS = {
    1: "Operations error", 2: "Protocol error", 3: "Time limit exceeded", 4: "Size limit exceeded", 7: "Authentication method not supported",
    8: "Strong(er) authentication required", 9: "Partial results and referral received", 10: "Referral", 11: "Administrative limit exceeded",
    12: "Critical extension is unavailable", 13: "Confidentiality required", 14: "SASL bind in progress", 16: "No such attribute",
    17: "Undefined attribute type", 18: "Inappropriate matching", 21: "Invalid syntax", 32: "No such object", 33: "Alias problem",
    34: "Invalid DN syntax", 36: "Alias dereferencing problem", 48: "Inappropriate authentication", 49: "Invalid credentials",
    50: "Insufficient access", 51: "Server is busy", 52: "Server is unavailable", 53: "Server is unwilling to perform",
    54: "Loop detected", 80: "Other (e.g., implementation specific) error",
}  # fmt: skip


def code_text(code: int) -> str:
    return _TEXTS.get(code, "Unknown error")
