"""`-bf` and `-bF`: what a filter would do with the message on standard input (Exim 5.2, filter.txt 1.3).

Everything is printed as Exim prints it. A file that is no filter is tried as a forward file.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from pillarbox.app.asking.loading import load_for_checks
from pillarbox.app.asking.message import MAX_MESSAGE, Test, read_message
from pillarbox.app.services import quiet_services
from pillarbox.config.model import Config
from pillarbox.flow.facets.delivering import DeliveryFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.filtering import MessageBlocks, own_addresses
from pillarbox.flow.route.logins import login_of
from pillarbox.flow.route.redirection import Address, File, Malformed, Pipe, Special, parse_redirection
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.settings import Identity
from pillarbox.language.addresses import AddressError, working_address
from pillarbox.language.expand.headers import DEFAULT_CODING, HeaderCoding
from pillarbox.language.expand.scope import Scope
from pillarbox.language.filter.actions import Outcome
from pillarbox.language.filter.circumstances import Circumstances
from pillarbox.language.filter.commands import Permissions
from pillarbox.language.filter.errors import FilterSyntaxError
from pillarbox.language.filter.interpreter import interpret
from pillarbox.language.filter.parser import parse_filter
from pillarbox.language.filter.printing import lines_of
from pillarbox.language.filter.recognition import kind_of
from pillarbox.language.filter.texts import quoted
from pillarbox.language.filter.variables import FilterState
from pillarbox.language.rewrite.fields import qualify_fields
from pillarbox.language.sieve.circumstances import Circumstances as SieveCircumstances
from pillarbox.language.sieve.circumstances import Envelope
from pillarbox.language.sieve.interpreter import run_sieve
from pillarbox.language.sieve.message import SieveMessage
from pillarbox.language.sieve.parser import parse_sieve
from pillarbox.language.sieve.printing import lines_of as sieve_lines
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.message import Message


class Wanted(msgspec.Struct, frozen=True):
    """The command line: `-bF`, `-bf`, `-f`, `-bfd`, `-bfl`, `-bfp`, `-bfs`, `-v`."""

    system_file: str | None = None
    user_file: str | None = None
    sender: str | None = None
    domain: str | None = None
    local_part: str | None = None
    prefix: str = ""
    suffix: str = ""
    is_verbose: bool = False


def run_filters(path: Path, wanted: Wanted, *, macros: Mapping[str, str] | None = None) -> int:
    """The exit code: 1 when a file cannot be read or a filter has an error."""
    config = load_for_checks(path, macros)
    if config is None:
        return 1
    for name in (wanted.system_file, wanted.user_file):
        if name is not None and (why := _unopenable(name)):
            print(f"exim: failed to open {name}: {why}", file=sys.stderr)
            return 1
    test = read_message(sys.stdin.buffer.read(MAX_MESSAGE), _qualified_sender(wanted, config), config)
    return asyncio.run(_Testing(wanted, test, config).run())


def _unopenable(name: str) -> str:
    try:
        os.close(os.open(name, os.O_RDONLY))
    except OSError as error:
        return error.strerror or ""
    return ""


def _qualified_sender(wanted: Wanted, config: Config) -> str | None:
    if not wanted.sender or "@" in wanted.sender or wanted.sender == "<>":
        return wanted.sender
    return f"{wanted.sender}@{config.main(Identity).sender_domain}"


class _Testing:
    """One run of the command, the message read."""

    def __init__(self, wanted: Wanted, test: Test, config: Config) -> None:
        self._wanted = wanted
        self._test = test
        self._identity = config.main(Identity)
        self._blocks = MessageBlocks()
        facts = test.facets[MessageFacts]
        assert isinstance(facts, MessageFacts)
        self._sender = facts.sender or ""
        login = login_of(os.getuid())
        self._local_part = login if wanted.local_part is None else wanted.local_part
        self._domain = wanted.domain or self._identity.recipient_domain
        self._scope = Scope(self._facets(facts), quiet_services(config))

    def _facets(self, facts: MessageFacts) -> dict[type, object]:
        """The message as if submitted here and routed to the user."""
        if facts.message is not None:
            domain = self._identity.sender_domain
            block = qualify_fields(facts.message.headers, domain, self._identity.recipient_domain)
            facts.message = Message(block, facts.message.body)
        facts.recipients_count = 1
        recipient = Recipient(f"{self._wanted.prefix}{self._local_part}{self._wanted.suffix}@{self._domain}")
        candidate = msgspec.structs.replace(
            Candidate.first(recipient),
            local_part=self._local_part,
            original_local_part=self._local_part,
            domain=self._domain,
        )
        assignment = Assignment(
            candidate=candidate,
            router="",
            transport="",
            local_part=self._local_part,
            local_part_prefix=self._wanted.prefix,
            local_part_suffix=self._wanted.suffix,
            local_part_data=self._local_part,
            home=_home(),
        )
        return {
            **self._test.facets,
            MessageFacts: facts,
            Candidate: candidate,
            Assignment: assignment,
            DeliveryFacts: DeliveryFacts(return_path=self._return_path),
        }

    @property
    def _return_path(self) -> str:
        return self._sender if self._test.return_path is None else self._test.return_path

    async def run(self) -> int:
        sys.stdout.writelines(f"{line}\n" for line in self._preamble())
        code = 0
        if self._wanted.system_file is not None:
            code = await self._one(self._wanted.system_file, is_system=True)
        if code == 0 and self._wanted.user_file is not None:
            code = await self._one(self._wanted.user_file, is_system=False)
        return code

    def _preamble(self) -> Iterator[str]:
        return_path = self._test.return_path
        yield from self._test.remarks
        if return_path is None:
            yield "Return-path copied from sender"
        else:
            yield f"Return-path = {return_path or '<>'}"
        yield f"Sender      = {self._sender or '<>'}"
        wanted = self._wanted
        yield f"Recipient   = {wanted.prefix}{self._local_part}{wanted.suffix}@{self._domain}"
        if wanted.prefix:
            yield f"Prefix    = {wanted.prefix}"
        if wanted.suffix:
            yield f"Suffix    = {wanted.suffix}"

    async def _one(self, name: str, *, is_system: bool) -> int:
        try:
            text = Path(name).read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            print(f"exim: error while reading {name}: {error.strerror}")
            return 1
        kind = "exim" if is_system else kind_of(text)
        shown = {"exim": "Exim filter", "sieve": "Sieve filter", "forward": "forward file"}[kind]
        print(f'Testing {shown} file "{name}"\n')
        if kind == "sieve":
            self._try_sieve(text)
            return 0
        if kind == "forward":
            return _test_forward(text, self._identity.recipient_domain)
        outcome = await self._filtered(text, is_system=is_system)
        for line in outcome.trace:
            print(f" {line}", file=sys.stderr)
        sys.stdout.writelines(f"{line}\n" for line in lines_of(outcome))
        return 1 if outcome.error else 0

    def _try_sieve(self, text: str) -> None:
        """A script with a mistake is no failure: it keeps the message."""
        wanted, facts = self._wanted, self._scope.facet(MessageFacts)
        assert facts is not None and facts.message is not None
        circumstances = SieveCircumstances(
            Envelope(self._sender, f"{wanted.prefix}{self._local_part}{wanted.suffix}", self._domain),
            own_addresses=self._own_addresses(),
            traces=wanted.is_verbose,
        )
        coding = self._scope.facet(HeaderCoding) or DEFAULT_CODING
        program = parse_sieve(text, (("enotify", "enotify disabled"),))
        outcome = run_sieve(program, SieveMessage(facts.message, coding, facts.size), circumstances)
        for line in outcome.trace:
            print(f" {line}", file=sys.stderr)
        sys.stdout.writelines(f"{line}\n" for line in sieve_lines(outcome))

    def _own_addresses(self) -> tuple[str, ...]:
        return own_addresses(self._local_part, self._domain, self._wanted.prefix, self._wanted.suffix)

    async def _filtered(self, text: str, *, is_system: bool) -> Outcome:
        try:
            rules = parse_filter(text, Permissions.system() if is_system else None)
        except FilterSyntaxError as error:
            return Outcome((), False, error.message)
        outcome = await interpret(rules, self._scope, self._circumstances())
        if is_system:
            self._hand_on(outcome)
        return outcome

    def _circumstances(self) -> Circumstances:
        wanted = self._wanted
        return Circumstances(
            headers=self._blocks,
            sender=self._sender,
            return_path=self._return_path,
            own_addresses=self._own_addresses(),
            qualify_domain=self._identity.recipient_domain,
            recipients=(f"{wanted.prefix}{self._local_part}{wanted.suffix}@{self._domain}",),
            is_test=True,
            traces_conditions=wanted.is_verbose,
        )

    def _hand_on(self, outcome: Outcome) -> None:
        """What the user's filter sees of the system's: its numbers and its headers."""
        self._scope = self._scope.with_facet(FilterState, FilterState(outcome.numbers))
        if outcome.headers is not None:
            self._scope = self._blocks.with_block(self._scope, outcome.headers)


def _test_forward(text: str, domain: str) -> int:
    """A plain forward file: its addresses, in the order in which Exim has them, the last first."""
    found: list[str] = []
    for item in parse_redirection(text):
        match item:
            case Address():
                found.append(f"{item.local_part}@{item.domain or domain}")
            case Pipe(command=command):
                found.append(f"|{command}")
            case File(path=path):
                found.append(path)
            case Special(word="blackhole"):
                print('exim: forwardfile contains ":blackhole:"')
            case Special(word=("fail" | "defer") as word, text=said):
                print(f'exim: error in forward file: ":{word}:{" " if said else ""}{said}" is not permitted')
                return 1
            case Malformed(item=wrong, why=why):
                print(f"exim: error in forward file: {_why(wrong, why)} in {quoted(wrong)}")
                return 1
    if not found:
        print("exim: no addresses generated from forward file")
        return 0
    print("exim: forward file generated:")
    sys.stdout.writelines(f"  {each}\n" for each in reversed(found))
    return 0


def _why(item: str, otherwise: str) -> str:
    try:
        working_address(item)
    except AddressError as error:
        return str(error)
    return otherwise


def _home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""
