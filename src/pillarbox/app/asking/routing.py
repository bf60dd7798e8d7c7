"""`-bt`, `-bv`, `-bvs`: how addresses would be routed, and whether they are good (Exim 5.2).

What is printed is Exim's: troubles and what redirection made as they come up, then the deliveries, local ones first. With `-d` each
router says why it was skipped or what it did.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from pillarbox.app.asking.caller import is_admin, owns_queue
from pillarbox.app.asking.loading import load_for_checks, stamped
from pillarbox.app.helping import start_helper
from pillarbox.app.mta import Mta
from pillarbox.app.pretending import QuietWorld
from pillarbox.app.privilege import NoSuchUser, choose_user, complaint, give, group_of
from pillarbox.app.world import World
from pillarbox.config.model import Config
from pillarbox.flow.accept.paths import stripped
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.rewriting import Rewriting
from pillarbox.flow.route.candidate import Candidate, Purpose
from pillarbox.flow.route.logins import login_of
from pillarbox.flow.route.result import Assignment, LogLine, Refused, Routed, Trouble
from pillarbox.flow.route.trace import Trace, narrate
from pillarbox.flow.settings import Files, Identity
from pillarbox.language.addresses import AddressError, address_items, working_address
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Origin, Recipient
from pillarbox.system import loop as event_loop
from pillarbox.system.helper.process import HelperEnd

TEST_SLOT = 1022


class Question(msgspec.Struct, frozen=True):
    """The command. `sender`: of the message there would be (`-f`)."""

    purpose: Purpose
    sender: str = ""
    shows_routers: bool = False
    tells_routes: bool = False
    """With `-v`: where good addresses would go."""


def test_addresses(
    path: Path,
    addresses: tuple[str, ...],
    macros: Mapping[str, str] | None = None,
    question: Question | None = None,
) -> int:
    """0: all can be delivered to (or are good), 1: one cannot be told now, 2: one cannot be. Without addresses they are read from
    standard input, a line each."""
    config = load_for_checks(path, macros)
    mta = _mta(config) if config is not None else None
    if config is None or mta is None:
        return 1
    try:
        asking = _Asking(mta, question or Question("test"))
        return event_loop.run(asking.ask_all(addresses) if addresses else asking.ask_typed())
    finally:
        _give_back(config)


def verify_addresses(
    path: Path,
    addresses: tuple[str, ...],
    macros: Mapping[str, str] | None = None,
    *,
    are_senders: bool = False,
    is_verbose: bool = False,
    shows_routers: bool = False,
) -> int:
    """`-bv` and, for senders, `-bvs`; `is_verbose`: good addresses are told as `-bt` does."""
    purpose: Purpose = "verify_sender" if are_senders else "verify"
    question = Question(purpose, shows_routers=shows_routers, tells_routes=is_verbose)
    return test_addresses(path, addresses, macros, question)


def _give_back(config: Config) -> None:
    """What root has opened belongs to the mail user: deliveries could not open it else."""
    identity = config.main(Identity)
    hints = Path(config.main(Files).spool_directory) / "db"
    if os.geteuid() != 0 or not hints.is_dir():
        return
    with contextlib.suppress(NoSuchUser, OSError):
        user = choose_user(identity.exim_user)
        give(hints, user.pw_uid, group_of(user, identity.exim_group))


def _mta(config: Config) -> Mta | None:
    try:
        return Mta(config, _world(config, start_helper(config)))
    except OSError as error:
        print(complaint(error), file=sys.stderr)
        return None


def _world(config: Config, helper: HelperEnd | None) -> World:
    """Who may not write our logs asks all the same. Raises OSError."""
    try:
        return World(config, TEST_SLOT, helper=helper)
    except OSError:
        return QuietWorld(config, TEST_SLOT, helper=helper)


def _typed() -> Iterator[str]:
    """With Exim's prompt; an empty line is no address."""
    while True:
        print("> ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            print()
            return
        yield line.strip()


class _Asking:
    def __init__(self, mta: Mta, question: Question) -> None:
        self._mta = mta
        self._question = question
        self._tells_reasons = is_admin(mta.config) or owns_queue(mta.config)
        self._code = 0
        self._shown: set[object] = set()
        self._asked = ""
        """The address as it was given: what is asked twice in other words is no duplicate."""

    async def ask_all(self, arguments: Iterable[str]) -> int:
        for argument in arguments:
            for text in _addresses_of(argument):
                await self._ask(text)
        return self._code

    async def ask_typed(self) -> int:
        """A line, an address."""
        for line in _typed():
            await self._ask(line)
        return self._code

    async def _ask(self, text: str) -> None:
        try:
            working = working_address(stripped(text, self._mta.policy.habits.paths))
        except AddressError as error:
            print(f"syntax error: {error}")
            self._code = 2
            return
        policy = self._mta.policy
        domain = policy.qualify_domain if self._is_sender else policy.qualify_recipient
        self._asked = working.address
        address = working.address if working.domain_at else f"{working.address}@{domain}"
        facts = MessageFacts(
            sender=self._question.sender or f"{login_of(os.getuid())}@{policy.qualify_domain}"
        )
        scope = Scope({Origin: Origin(), MessageFacts: facts}, self._mta.expansion)
        if policy.rewriting is not None:
            address = await self._rewritten(policy.rewriting, address, scope)
        trace: Trace | None = [] if self._question.shows_routers else None
        routed = await self._mta.chain.route(
            Candidate.first(Recipient(address)),
            self._question.purpose,
            scope,
            trace,
            follows_all=self._question.tells_routes,
        )
        sys.stderr.writelines(f"{line}\n" for line in narrate(trace or ()))
        self._tell_log(routed.log)
        shows = self._is_test or self._question.tells_routes
        lines = self._routes(address, routed) if shows else self._verdict(address, routed)
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()

    async def _rewritten(self, rewriting: Rewriting, address: str, scope: Scope) -> str:
        """An address is asked about as it will be."""
        found = await rewriting.of_envelope(address, scope, is_sender=self._is_sender)
        for text, is_complaint in found.notes:
            where = " MAIN PANIC" if is_complaint else " MAIN"
            print(f"LOG:{where}\n  {text}" if self._is_test else text, file=sys.stderr)
        if not found.address or found.address == address:
            return address
        print(f"Address rewritten as: {found.address}", flush=True)
        return found.address

    @property
    def _is_test(self) -> bool:
        return self._question.purpose == "test"

    @property
    def _is_sender(self) -> bool:
        return self._question.purpose == "verify_sender"

    def _tell_log(self, lines: Iterable[LogLine]) -> None:
        """What a delivery would write to the logs; a question leaves them alone, as Exim's do."""
        sys.stdout.flush()
        for line in lines:
            if line.is_debug and self._question.shows_routers:
                continue  # it stands with its router
            if self._is_test and not line.is_debug:
                where = f"{' MAIN' if line.is_main else ''}{' PANIC' if line.is_panic else ''}"
                print(f"LOG:{where}\n  {line.text}", file=sys.stderr)
            else:
                print(line.text if line.is_debug else stamped(line.text), file=sys.stderr)

    def _verdict(self, address: str, routed: Routed) -> Iterator[str]:
        """One line: good, bad or unknown. The first trouble decides."""
        trouble = next((each for each in routed.history if isinstance(each, Trouble)), None)
        if trouble is None:
            yield f"{address} verified"
        else:
            yield self._sorry(address, trouble, "failed to verify")

    def _routes(self, address: str, routed: Routed) -> Iterator[str]:
        found: list[Assignment] = []
        for each in routed.history:
            if isinstance(each, Trouble):
                yield from self._trouble(each)
            elif each.target:
                yield from _generated(each)
            else:
                found.append(each)
        if not routed.history:
            yield f"mail to {address} is discarded"
        transports = self._mta.config.transports
        for is_local in (True, False):
            for assignment in reversed(found):
                transport = transports.get(assignment.transport)
                if (transport is None or transport.is_local) is is_local:
                    yield from self._assigned(assignment)

    def _trouble(self, trouble: Trouble) -> Iterator[str]:
        refusal = "is undeliverable" if self._is_test else "failed to verify"
        yield self._sorry(trouble.candidate.address, trouble, refusal)
        yield from _ancestry(trouble.candidate)

    def _sorry(self, address: str, trouble: Trouble, refusal: str) -> str:
        """The line, and the exit code."""
        if isinstance(trouble.result, Refused):
            self._code, said = 2, refusal
        else:
            self._code, said = self._code or 1, "cannot be resolved at this time"
        return (
            f"{address} {said}: {trouble.result.reason.log}" if self._tells_reasons else f"{address} {said}"
        )

    def _assigned(self, assignment: Assignment) -> Iterator[str]:
        candidate = assignment.candidate
        is_child = any(parent.address != candidate.address for parent in candidate.parents)
        local_part, _, domain = (assignment.address if is_child else self._asked).rpartition("@")
        above = zip(candidate.parents, candidate.redirected_by, strict=True)
        same = sum(p.address == candidate.address and by != assignment.router for p, by in above)
        key = (local_part, domain, same)
        is_repeat = key in self._shown
        self._shown.add(key)
        yield assignment.address + ("   [duplicate, would not be delivered]" if is_repeat else "")
        yield from _ancestry(candidate)
        yield f"  router = {assignment.router}, transport = {assignment.transport or 'unset'}"
        transport = self._mta.config.transports.get(assignment.transport)
        if not getattr(transport, "hosts_override", False):
            yield from _hosts(assignment, is_local=transport is not None and transport.is_local)


def _addresses_of(argument: str) -> Iterator[str]:
    """Commas divide addresses, outside quotes, comments and routes. An empty argument has none."""
    items = [item.text.strip() for item in address_items(argument, opens_groups=False)]
    yield from [item for item in items if item] or ([""] if argument else [])


def _ancestry(candidate: Candidate) -> Iterator[str]:
    for parent in candidate.parent_addresses:
        yield f"    <-- {parent}"


def _generated(assignment: Assignment) -> Iterator[str]:
    parent = assignment.candidate.parents[0].address
    address = assignment.candidate.address
    shown = f"mail {address[1:]}" if assignment.target == "reply" else address
    if assignment.forbidden and not assignment.trouble:
        yield f"{parent} -> {shown} *** forbidden ***"
        return
    yield f"{parent} -> {shown}"
    if assignment.trouble:
        yield "*** Error in setting up pipe, file, or autoreply:"
        yield assignment.trouble
    else:
        yield f"  transport = {assignment.transport}"


def _hosts(assignment: Assignment, *, is_local: bool) -> Iterator[str]:
    """A line for each address, in columns. A local transport does not care about addresses."""
    if any(not host.addresses for host in assignment.hosts):
        for host in assignment.hosts:
            yield f"  host {host.name}{' ' * 10}"
        return
    hosts = [*assignment.unusable, *assignment.hosts]
    if assignment.unusable:
        hosts.sort(key=lambda host: host.mx_preference or 0)
    rows = [(host, address) for host in hosts for address in host.addresses or ("",)]
    name_width = max((len(host.name) for host, _ in rows), default=0)
    address_width = max((len(address) for _, address in rows), default=0)
    for host, address in rows:
        shown = f"[{address or 'unknown'}]" if address or not is_local else ""
        line = f"  host {host.name:<{name_width}} {shown:<{address_width + 2}}"
        if host.mx_preference is not None:
            line += f" MX={host.mx_preference}"
        if host.port:
            line += f" port={host.port}"
        yield line if address else f"{line} ** unusable **"
