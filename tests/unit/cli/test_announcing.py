"""The daemon's first line in the main log."""

from __future__ import annotations

from pillarbox.app.listening import Place
from pillarbox.cli.announcing import describe_places


def test_places_in_exims_words() -> None:
    both = [Place("smtp", "::", 25), Place("smtp", "0.0.0.0", 25)]
    assert describe_places(both) == "listening for SMTP on port 25 (IPv6 and IPv4)"
    mixed = [Place("smtp", "127.0.0.1", 2525), Place("smtp", "0.0.0.0", 465, True), Place("imap", "::", 143)]
    assert describe_places(mixed) == "listening for SMTP on [127.0.0.1]:2525 and for SMTPS on port 465 (IPv4)"
    assert describe_places([]) == "not listening for SMTP"
