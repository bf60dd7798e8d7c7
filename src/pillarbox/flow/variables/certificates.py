"""`$tls_in_peercert` and its kin: certificates, which are not text (Exim 11.9).

Written out they say only that there is one. `${certextract`, `${md5:`, `${sha1:` and `${sha256:` look at the bytes behind.
"""

from __future__ import annotations

from pillarbox.flow.facets.session import TlsInFacts, TlsOutFacts
from pillarbox.language.expand.certificate import certificate
from pillarbox.language.expand.registry import variable


@variable("tls_in_ourcert", TlsInFacts, doc="The certificate we showed; for ${certextract.", tainted=False)
def tls_in_ourcert(facts: TlsInFacts) -> str:
    return certificate(facts.ourcert)


@variable("tls_in_peercert", TlsInFacts, doc="The client's certificate; for ${certextract.", tainted=False)
def tls_in_peercert(facts: TlsInFacts) -> str:
    return certificate(facts.peercert)


@variable("tls_out_ourcert", TlsOutFacts, doc="The certificate we showed; for ${certextract.", tainted=False)
def tls_out_ourcert(facts: TlsOutFacts) -> str:
    return certificate(facts.ourcert)


@variable("tls_out_peercert", TlsOutFacts, doc="The server's certificate; for ${certextract.", tainted=False)
def tls_out_peercert(facts: TlsOutFacts) -> str:
    return certificate(facts.peercert)
