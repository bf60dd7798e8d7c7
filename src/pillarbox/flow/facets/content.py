"""What scanning a message's content has found: malware, spam, expressions, MIME parts (Exim chapter 45)."""

from __future__ import annotations

import msgspec


class ScanFacts(msgspec.Struct, frozen=True):
    """Set by the `malware` and `spam` conditions."""

    av_failed: int = 0
    malware_name: str = ""
    spam_score: str = ""
    spam_score_int: str = ""
    spam_bar: str = ""
    spam_report: str = ""
    spam_action: str = ""


class RegexFacts(msgspec.Struct, frozen=True):
    """Set by the `regex` and `mime_regex` conditions."""

    match_string: str = ""
    captures: tuple[str, ...] = ()
    """The first is `$regex1`."""


class MimeFacts(msgspec.Struct, frozen=True):
    """The part that `acl_smtp_mime` looks at."""

    anomaly_level: int = 0
    anomaly_text: str = ""
    boundary: str = ""
    charset: str = ""
    content_description: str = ""
    content_disposition: str = ""
    content_id: str = ""
    content_size: int = 0
    """Kilobytes, after `decode`."""
    content_transfer_encoding: str = ""
    content_type: str = ""
    decoded_filename: str = ""
    filename: str = ""
    is_coverletter: int = 0
    is_multipart: int = 0
    is_rfc822: int = 0
    part_count: int = -1
