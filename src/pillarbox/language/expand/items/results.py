"""What items leave behind for later references: `$runrc`, `$prvscheck_…`, `$srs_recipient`.

Each is a facet that the item puts into the scope it was evaluated in, so it stays for what is expanded later in the same scope.
"""

from __future__ import annotations

from typing import NamedTuple

from pillarbox.language.expand.registry import variable
from pillarbox.language.expand.scope import Scope

_RANK = 1


class RunResult(NamedTuple):
    code: int


class PrvsResult(NamedTuple):
    address: str
    key_number: str
    is_good: bool


class SrsResult(NamedTuple):
    recipient: str


def leave(scope: Scope, result: RunResult | PrvsResult | SrsResult) -> None:
    scope.facets[type(result)] = result


@variable("runrc", RunResult, doc="Exit code of the last ${run.", tainted=False, rank=_RANK)
def runrc(result: RunResult) -> str:
    return str(result.code)


@variable("prvscheck_address", PrvsResult, doc="The address without its prvs signature.", rank=_RANK)
def prvscheck_address(result: PrvsResult) -> str:
    return result.address


@variable("prvscheck_keynum", PrvsResult, doc="Number of the key that signed a prvs address.", rank=_RANK)
def prvscheck_keynum(result: PrvsResult) -> str:
    return result.key_number


@variable(
    "prvscheck_result",
    PrvsResult,
    doc="1 when the signature is good, empty when not.",
    tainted=False,
    rank=_RANK,
)
def prvscheck_result(result: PrvsResult) -> str:
    return "1" if result.is_good else ""


@variable("srs_recipient", SrsResult, doc="The address out of an SRS address.", rank=_RANK)
def srs_recipient(result: SrsResult) -> str:
    return result.recipient
