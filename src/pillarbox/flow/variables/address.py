"""Variables about the address in hand while it is verified and routed, over `flow.route.candidate.Candidate`."""

from __future__ import annotations

from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.registry import variable


@variable("local_part", Candidate, doc="Local part, without quotes and affixes.")
def local_part(candidate: Candidate) -> str:
    return candidate.local_part


@variable("domain", Candidate, doc="Domain in lower case.")
def domain(candidate: Candidate) -> str:
    return candidate.domain


@variable("original_local_part", Candidate, doc="Local part of the envelope's recipient.")
def original_local_part(candidate: Candidate) -> str:
    first = candidate.parents[-1] if candidate.parents else candidate
    return first.original_local_part


@variable("original_domain", Candidate, doc="Domain of the envelope's recipient.")
def original_domain(candidate: Candidate) -> str:
    first = candidate.parents[-1] if candidate.parents else candidate
    return first.domain


@variable("parent_local_part", Candidate, doc="Local part of the address this one was made from.")
def parent_local_part(candidate: Candidate) -> str:
    if not candidate.parents:
        return ""
    return candidate.parents[0].original_local_part


@variable("parent_domain", Candidate, doc="Domain of the address this one was made from.")
def parent_domain(candidate: Candidate) -> str:
    return candidate.parents[0].domain if candidate.parents else ""
