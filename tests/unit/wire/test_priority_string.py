"""GnuTLS priority strings: what is left of TLS (Exim 43.5)."""

import re

import pytest

from pillarbox.wire.priority_string import Priority, is_priority_string, read_priority_string

NORMAL = Priority()


@pytest.mark.parametrize(
    "text", ["NORMAL", "normal:%COMPAT", "SECURE192:-VERS-SSL3.0", "NONE:+VERS-ALL", "@SYSTEM", " PFS :+AEAD"]
)
def test_first_word_tells(text: str) -> None:
    assert is_priority_string(text)


@pytest.mark.parametrize(
    "text", ["HIGH:!aNULL:@STRENGTH", "DEFAULT", "SUITEB128", "ECDHE-RSA-AES256-GCM-SHA384", ""]
)
def test_openssls_words_are_others(text: str) -> None:
    assert not is_priority_string(text)


def test_what_is_never_done_goes_in_vain() -> None:
    text = "NORMAL:%COMPAT:%SERVER_PRECEDENCE:-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1:-ARCFOUR-128:-MD5:-COMP-ALL:!3DES-CBC"
    assert read_priority_string(text) == NORMAL


def test_takes_away_and_adds() -> None:
    read = read_priority_string("SECURE128:-VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM:-RSA:-MAC-ALL:+AEAD")
    assert read.versions == {"TLS1.2"}
    assert read.ciphers == {"AES-256-GCM"}
    assert read.macs == {"AEAD"}
    assert read.exchanges == {"ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA"}


def test_levels() -> None:
    assert not [name for name in read_priority_string("SECURE256").ciphers if "128" in name]
    assert "RSA" not in read_priority_string("PFS").exchanges
    assert read_priority_string("NONE:+VERS-TLS1.2") == Priority(
        frozenset(("TLS1.2",)), frozenset(), frozenset(), frozenset()
    )


@pytest.mark.parametrize(
    "word", ["-GROUP-X25519", "+NONSENSE", "%NONSENSE", "AES-128-GCM", "-SIGN-RSA-SHA256"]
)
def test_a_word_that_cannot_be_followed_is_named(word: str) -> None:
    with pytest.raises(ValueError, match=re.escape(word)):
        read_priority_string(f"NORMAL:{word}")


def test_without_encrypt_then_mac_there_is_no_cbc() -> None:
    for text in ("NORMAL:%FORCE_ETM", "NORMAL:%FORCE_ETM:+AES-128-CBC"):
        assert not [name for name in read_priority_string(text).ciphers if name.endswith("-CBC")]
