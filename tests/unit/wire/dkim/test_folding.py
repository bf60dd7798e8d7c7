"""Lines of signature fields: never too long, and the signature never apart from the semicolon behind it."""

from __future__ import annotations

import pytest

from pillarbox.wire.dkim.folding import WIDTH, signature_field


@pytest.mark.parametrize("length", [88, 172, 344])
@pytest.mark.parametrize("domain", range(1, 160))
def test_any_lengths(domain: int, length: int) -> None:
    signature = "x" * (length - 1) + "="
    field = signature_field([("d", ["a" * domain]), ("h", ["From", "Subject", "To"])], signature)
    lines = field.split("\n")
    assert max(map(len, lines)) <= WIDTH
    assert lines[-1].strip() != ";"
    assert field.replace("\n\t", "").endswith(f"b={signature};")
