"""Variables about a routed address at delivery, over `flow.route.result.Assignment`.

They outrank those of the bare candidate: here affixes are off the local part.
"""

from __future__ import annotations

from pillarbox.flow.route.result import Assignment
from pillarbox.flow.variables import address
from pillarbox.language.expand.registry import variable, variable_family

_RANK = 5


@variable("local_part", Assignment, doc="Local part, without quotes and affixes.", rank=_RANK)
def local_part(assignment: Assignment) -> str:
    return assignment.bare_local_part


@variable("domain", Assignment, doc="Domain in lower case.", rank=_RANK)
def domain(assignment: Assignment) -> str:
    return assignment.candidate.domain


@variable("original_local_part", Assignment, doc="Local part of the envelope's recipient.", rank=_RANK)
def original_local_part(assignment: Assignment) -> str:
    if assignment.candidate.parents:
        return address.original_local_part(assignment.candidate)
    return f"{assignment.local_part_prefix}{assignment.bare_local_part}{assignment.local_part_suffix}"


@variable("original_domain", Assignment, doc="Domain of the envelope's recipient.", rank=_RANK)
def original_domain(assignment: Assignment) -> str:
    return address.original_domain(assignment.candidate)


@variable(
    "parent_local_part", Assignment, doc="Local part of the address this one was made from.", rank=_RANK
)
def parent_local_part(assignment: Assignment) -> str:
    return address.parent_local_part(assignment.candidate)


@variable("parent_domain", Assignment, doc="Domain of the address this one was made from.", rank=_RANK)
def parent_domain(assignment: Assignment) -> str:
    return address.parent_domain(assignment.candidate)


@variable("local_part_prefix", Assignment, doc="Prefix that a router took off.", tainted=False, rank=_RANK)
def local_part_prefix(assignment: Assignment) -> str:
    return assignment.local_part_prefix


@variable("local_part_suffix", Assignment, doc="Suffix that a router took off.", tainted=False, rank=_RANK)
def local_part_suffix(assignment: Assignment) -> str:
    return assignment.local_part_suffix


@variable(
    "local_part_data",
    Assignment,
    doc="What matched in local_parts or check_local_user.",
    tainted=False,
    rank=_RANK,
)
def local_part_data(assignment: Assignment) -> str:
    return assignment.local_part_data


@variable("domain_data", Assignment, doc="What matched in domains.", tainted=False, rank=_RANK)
def domain_data(assignment: Assignment) -> str:
    return assignment.domain_data


@variable("address_data", Assignment, doc="What the router's address_data gave.", tainted=False, rank=_RANK)
def address_data(assignment: Assignment) -> str:
    return assignment.address_data


@variable(
    "account", Assignment, doc="Pillarbox: the account that check_account found.", tainted=False, rank=_RANK
)
def account(assignment: Assignment) -> str:
    return assignment.account


@variable("home", Assignment, doc="Directory of the account or user.", tainted=False, rank=_RANK)
def home(assignment: Assignment) -> str:
    return assignment.home


@variable(
    "address_file", Assignment, doc="File or directory that redirection named.", tainted=False, rank=_RANK
)
def address_file(assignment: Assignment) -> str:
    return "" if assignment.target == "pipe" else assignment.file


@variable("address_pipe", Assignment, doc="Command that redirection named.", rank=_RANK)
def address_pipe(assignment: Assignment) -> str:
    return assignment.file if assignment.target in ("pipe", "") else ""


@variable("router_name", Assignment, doc="The router that accepted the address.", tainted=False, rank=_RANK)
def router_name(assignment: Assignment) -> str:
    return assignment.router


@variable("transport_name", Assignment, doc="The transport that carries it.", tainted=False, rank=_RANK)
def transport_name(assignment: Assignment) -> str:
    return assignment.transport


@variable("host", Assignment, doc="Name of the first remote host.", rank=_RANK)
def host(assignment: Assignment) -> str:
    return assignment.hosts[0].name if assignment.hosts else ""


@variable("local_part_prefix_v", Assignment, doc="What the asterisk of the prefix stood for.", rank=_RANK)
def local_part_prefix_v(assignment: Assignment) -> str:
    return assignment.local_part_prefix_v


@variable("local_part_suffix_v", Assignment, doc="What the asterisk of the suffix stood for.", rank=_RANK)
def local_part_suffix_v(assignment: Assignment) -> str:
    return assignment.local_part_suffix_v


@variable(
    "local_user_uid", Assignment, doc="The user that check_local_user found.", tainted=False, rank=_RANK
)
def local_user_uid(assignment: Assignment) -> str:
    return str(assignment.local_user_uid & 0xFFFFFFFF)


@variable("local_user_gid", Assignment, doc="That user's group.", tainted=False, rank=_RANK)
def local_user_gid(assignment: Assignment) -> str:
    return str(assignment.local_user_gid & 0xFFFFFFFF)


@variable_family("r_", Assignment, doc="Set by routers, for the address.", tainted=False)
def router_variable(assignment: Assignment, name: str) -> str:
    return dict(assignment.router_variables).get(name, "")
