"""`${md5:$tls_in_ourcert}`: the fingerprint of the certificate, not the digest of what it says as text."""

from __future__ import annotations

import hashlib

from pillarbox.language.expand.certificate import certificate
from pillarbox.language.expand.nodes import Node, apply
from pillarbox.language.expand.operators.digest import md5, sha1
from pillarbox.language.nowhere import empty_scope


def test_an_operator_sees_the_certificate() -> None:
    value = Node("variable", 0, lambda scope: certificate(b"DER"))
    scope = empty_scope()
    assert (
        apply("md5", 0, md5, [value], untaints=True).evaluate(scope)
        == hashlib.md5(b"DER").hexdigest().upper()
    )
    assert apply("sha1", 0, sha1, [value]).evaluate(scope) == hashlib.sha1(b"DER").hexdigest().upper()
