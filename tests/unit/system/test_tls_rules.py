"""`tls_require_ciphers` on TLS contexts: OpenSSL's words, and GnuTLS's."""

import ssl

import pytest

from pillarbox.system.tls_rules import require_ciphers


@pytest.fixture
def context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def old_suites(context: ssl.SSLContext) -> set[str]:
    return {suite["name"] for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"}


def test_openssls_words_with_underscores(context: ssl.SSLContext) -> None:
    require_ciphers(context, "ECDHE_RSA_AES256_GCM_SHA384")
    assert old_suites(context) == {"ECDHE-RSA-AES256-GCM-SHA384"}


def test_a_priority_string_chooses_suites_and_versions(context: ssl.SSLContext) -> None:
    require_ciphers(context, "SECURE192:-VERS-TLS1.3:-RSA:-DHE-RSA:-AES-256-CCM")
    assert context.maximum_version == ssl.TLSVersion.TLSv1_2
    names = old_suites(context)
    assert "ECDHE-RSA-AES256-GCM-SHA384" in names
    assert all(name.startswith("ECDHE-") and "128" not in name for name in names)


def test_only_the_newest(context: ssl.SSLContext) -> None:
    require_ciphers(context, "NORMAL:-VERS-ALL:+VERS-TLS1.3")
    assert context.minimum_version == ssl.TLSVersion.TLSv1_3


def test_usual_strings_leave_both_versions(context: ssl.SSLContext) -> None:
    require_ciphers(context, "NORMAL:%COMPAT")
    assert context.maximum_version == ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert {"ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA"} <= old_suites(context)


def test_nothing_left(context: ssl.SSLContext) -> None:
    with pytest.raises(ValueError, match="nothing is left"):
        require_ciphers(context, "NORMAL:-VERS-ALL")
