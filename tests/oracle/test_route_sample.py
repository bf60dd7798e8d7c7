"""Where addresses go, compared with `exim -bt` for the same routers section: accept, redirect, manualroute, preconditions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.oracle.real_exim import run
from tests.support.routing import RoutingWorld

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Host, Routed

pytestmark = pytest.mark.oracle

MAIN = "domainlist local_domains = local.test : virtual.test\n"
ALIASES = {
    "root": "alice",
    "list": 'alice, bob, "Carol, Quick" <carol@one.test>, dave@two.test (with, comment)',
    "chain": "list2",
    "list2": "alice",
    "gone": ":fail: gone away, no forward",
    "later": ":defer: try later, please",
    "hole": ":blackhole:",
    "holes": "alice, :blackhole:",
    "unk": ":unknown:",
    "pipe": '"|/bin/cat -n, x"',
    "pipe2": "|/bin/cat -n, alice",
    "file": "/var/mail/x",
    "dir": "/var/mail/d/",
    "loop1": "loop2",
    "loop2": "loop1",
    "self": "self, alice",
    "back": "\\alice",
    "bad": "alice, a b@c",
    "baddomain": "alice@",
    "quoted": '"a b"@one.test',
    "brackets": "<alice@local.test>",
    "x400": "/s=molari/o=babylon/@one.test",
    "upper": "Alice@LOCAL.Test",
    "dots": "a..b@one.test",
    "edge": ".a@one.test, b.@one.test, ..@one.test",
    "label": "x@-one.test",
    "underscore": "x@o_ne.test",
    "comment": "alice, # bob, carol",
    "empty": "",
}
ROUTERS = r"""
to_self:
  driver = manualroute
  domains = self.test
  route_list = * 127.0.0.1::2526
  transport = smtp
numbers:
  driver = manualroute
  domains = one.test : two.test : *.three.test
  route_list = one.test 10.0.0.1::2525 ; \
               two.test "10.0.0.1 : 10.0.0.2::26 : 127.0.0.1 : 10.0.0.3" smtp2 ; \
               \N^(\d+)\.three\.test$\N 10.0.0.$1
  transport = smtp
data:
  driver = manualroute
  domains = data.test : none.test
  route_data = ${if eq{$domain}{data.test}{"</ 10.0.0.1 / [10.0.0.2]:2526" smtp2}}
  transport = smtp
  no_more
literal:
  driver = manualroute
  domains = fail.test
  route_list = fail.test "${if eq{$local_part}{ok}{10.0.0.9}fail}"
  transport = smtp
owner:
  driver = accept
  domains = virtual.test
  local_part_prefix = owner- : *=~
  local_part_suffix = -request
  local_part_suffix_optional
  transport = pipe
aliases:
  driver = redirect
  domains = +local_domains
  data = ${lookup{$local_part}lsearch{ALIASFILE}}
  allow_fail
  allow_defer
  file_transport = file
  pipe_transport = pipe
  directory_transport = dir
conditional:
  driver = accept
  domains = virtual.test
  condition = ${if match{$local_part}{^c}}
  senders = : *@friend.test
  transport = local
local:
  driver = accept
  domains = +local_domains
  local_parts = alice : bob : self2
  local_part_suffix = +* : -*
  local_part_suffix_optional
  cannot_route_message = no user $local_part here
  transport = local
"""
TRANSPORTS = """
begin transports
smtp:
  driver = smtp
smtp2:
  driver = smtp
local:
  driver = appendfile
  file = /nowhere
file:
  driver = appendfile
dir:
  driver = appendfile
  maildir_format
pipe:
  driver = pipe
"""
ADDRESSES = [
    *(f"{name}@local.test" for name in ALIASES),
    "alice@local.test", "Alice+Foo@Local.Test", "bob-x@local.test", "nobody@local.test",
    "alice@virtual.test", "cat@virtual.test", "dog@virtual.test",
    "owner-x@virtual.test", "owner-x-request@virtual.test", "a=b=~c@virtual.test", "owner@virtual.test",
    "x@one.test", "X@ONE.test", "x@two.test", "x@7.three.test", "x@a.three.test", "x@self.test",
    "x@data.test", "x@none.test", "ok@fail.test", "no@fail.test", "x@elsewhere.test",
]  # fmt: skip

_SAID = re.compile(r"(\S.*?) (is undeliverable|cannot be resolved at this time): ?(.*)")


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exim")
    aliases = folder / "aliases"
    aliases.write_text("".join(f"{name}: {value}\n" for name, value in ALIASES.items()))
    path = folder / "exim.conf"
    path.write_text(
        f"primary_hostname = host.test\nqualify_domain = local.test\nspool_directory = {folder}\n"
        f"log_file_path = {folder}/%slog\nkeep_environment =\n{MAIN}begin routers\n"
        + ROUTERS.replace("ALIASFILE", str(aliases))
        + TRANSPORTS
    )
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("address", ADDRESSES)
async def test_goes_where_exim_sends_it(exim: str, configuration: Path, address: str) -> None:
    world = RoutingWorld(ROUTERS.replace("ALIASFILE", "/aliases"), main=MAIN, tables={"/aliases": ALIASES})
    ours = _as_exim(await world.route(address, purpose="test", sender=None))
    theirs = _ends(run(exim, "-C", str(configuration), "-f", "<>", "-bt", address))
    assert sorted(ours) == sorted(theirs)


def _ends(output: str) -> list[str]:
    """One line for each end of `-bt`, parents behind it."""
    ends: list[str] = []
    for line in output.splitlines():
        if line.startswith("    <-- "):
            ends[-1] += " <-- " + line[8:]
        elif line.startswith(("  host ", "  router = ", "  transport = ")):
            ends[-1] += " " + " ".join(line.split())
        elif line.startswith(("LOG:", "  ")) or not line.strip():
            continue
        else:
            ends.append(line.replace("   [duplicate, would not be delivered]", "").strip())
    return [_without_parse_details(end) for end in ends]


def _as_exim(routed: Routed) -> list[str]:
    ends = []
    for each in routed.assignments:
        if each.file:
            target = f"|{each.file}" if each.transport == "pipe" else each.file
            ends.append(f"{each.candidate.parents[0].address} -> {target} transport = {each.transport}")
            continue
        line = (
            f"{each.address}{_parents(each.candidate)} router = {each.router}, transport = {each.transport}"
        )
        ends.append(line + "".join(f" {_host(host)}" for host in each.hosts))
    ends += [
        f"{candidate.address} is undeliverable: {refused.reason.log}{_parents(candidate)}"
        for candidate, refused, _ in routed.refused
    ]
    ends += [
        f"{candidate.address} cannot be resolved at this time: {postponed.reason.log}{_parents(candidate)}"
        for candidate, postponed, _ in routed.postponed
    ]
    ends += [f"mail to {candidate.address} is discarded" for candidate, *_ in routed.discarded]
    return [_without_parse_details(" ".join(end.split())) for end in ends]


def _parents(candidate: Candidate) -> str:
    return "".join(f" <-- {address}" for address in candidate.parent_addresses)


def _host(host: Host) -> str:
    return f"host {host.name} [{host.addresses[0]}]" + (f" port={host.port}" if host.port else "")


def _without_parse_details(end: str) -> str:
    """What exactly is wrong with a malformed address each says in its own words."""
    end = re.sub(r"(error in redirect data:).*? in \"", r'\1 … in "', end)
    return " ".join(end.split())
