"""Variables that items of an expansion leave for the rest of it (Exim 11.5): nothing until one of them has."""

from __future__ import annotations

from pillarbox.language.expand.registry import variable
from pillarbox.language.expand.scope import Services

_RANK = -1
"""Below the facets of the items themselves."""


@variable("runrc", Services, doc="Exit code of the last ${run.", tainted=False, rank=_RANK)
def runrc(services: Services) -> str:
    return "0"


def _empty(name: str, doc: str) -> None:
    variable(name, Services, doc=doc, tainted=False, rank=_RANK)(lambda services: "")


_empty("ldap_dn", "Distinguished name of the last entry that an LDAP lookup found.")
_empty("prvscheck_address", "The address without its prvs signature.")
_empty("prvscheck_keynum", "Number of the key that signed a prvs address.")
_empty("prvscheck_result", "1 when the prvs signature is good, empty when not.")
