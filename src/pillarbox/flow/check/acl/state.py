"""What an ACL sees and what it may change while it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from pillarbox.flow.check.callout_wish import CalloutWish
from pillarbox.flow.check.csa import USUAL as USUAL_CSA
from pillarbox.flow.check.csa import CsaRules
from pillarbox.flow.check.debug_log import DebugFiles, DebugLog
from pillarbox.flow.check.quota_wish import QuotaWish
from pillarbox.flow.facets.authentication import SpfFacts
from pillarbox.flow.facets.session import ListFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Routed
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.match.host_names import ClientName, NameFinder
from pillarbox.mail.envelope import Origin
from pillarbox.mail.reply import Reason
from pillarbox.ports.hint_records import HintRecords
from pillarbox.wire.exim.log_style import USUAL, LogStyle

if TYPE_CHECKING:
    from pillarbox.flow.check.acl.program import Acl
    from pillarbox.flow.check.acl.sender_failure import FailedSender
    from pillarbox.flow.check.callout import Answer
    from pillarbox.flow.check.cutthrough import Passed
    from pillarbox.flow.check.held import Held, Holder
    from pillarbox.mail.envelope import Envelope
    from pillarbox.mail.message import Message

HEADERS_MAX = 256 * 1024
"""Characters of headers that ACLs may add to one message: a client cannot make them grow with its RCPTs."""


CUTTHROUGH = "cutthrough_delivery"
"""The control that passes messages on."""
USUAL_TARGETS = frozenset({"main", "reject"})


class CheckDeferred(Exception):
    """A condition cannot be decided now: the ACL's answer is a 4xx (Exim 44.4)."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.log)
        self.reason = reason


class CheckFailed(Exception):
    """A line cannot be evaluated: a mistake in the configuration. The ACL's answer is a 4xx. `str()` is for the log, in Exim's words."""


class Unmet(Exception):
    """A modifier cannot do what it is asked: the statement's conditions do not hold."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.log)
        self.reason = reason


class Trouble(msgspec.Struct, frozen=True, gc=False):
    """Facet while the texts of a refusal are expanded: what a condition had to say."""

    text: str


class TaintedAcl(ExpansionFailed):
    """The text holds what a client said: it is never taken for an ACL, nor for a file's name."""


async def expand_argument(template: Template, state: AclState) -> str:
    """Raises CheckFailed, ForcedFailure, ExpansionDeferred."""
    try:
        scope = state.scope
        if state.own is not None:
            scope = scope.with_facet(Trouble, Trouble(state.own.peer))
        return await template.expand(scope)
    except ForcedFailure:
        raise
    except ExpansionFailed as error:
        raise not_expanded(template, error) from None


def not_expanded(template: Template, error: ExpansionFailed | ExpansionDeferred) -> CheckFailed:
    """For the log, where quotes of the text are marked."""
    source = template.source.replace('"', '\\"')
    return CheckFailed(f'failed to expand ACL string "{source}": {error}')


class Acls(Protocol):
    def find(self, text: str) -> Acl:
        """The ACL that a name, a path or a text means. Raises ExpansionFailed."""
        ...


class VerifyWish(msgspec.Struct, frozen=True):
    """How an address is to be verified."""

    callout: CalloutWish | None = None
    succeeds_on_redirect: bool = False
    quota: QuotaWish | None = None
    """Local mailboxes must have room for the message."""


class VerifyFailure(msgspec.Struct, frozen=True):
    """Why an address is not deliverable."""

    log: str
    peer: str
    details: str = ""
    """For a peer whose sender it is: `Called: …`, or why it cannot be routed."""
    step: str = "route"
    """`$sender_verify_failure`: `route`, `mail`, `recipient`, `postmaster`, `quota`."""


class Verifier(Protocol):
    """Address verification by routing and callouts (check/verify.py)."""

    async def verify(
        self,
        candidate: Candidate,
        scope: Scope,
        *,
        is_sender: bool,
        wish: VerifyWish = ...,
        called: list[str] | None = ...,
        data: list[str] | None = ...,
        holder: Holder | None = ...,
    ) -> VerifyFailure | None:
        """None: deliverable. `called` gets the addresses that hosts were asked about; `data` what `$address_data` is then; `holder` the
        connection, where it is to be kept. Raises CheckDeferred."""
        ...

    async def ask_onward(
        self, candidate: Candidate, scope: Scope, holder: Holder, *, uses_return_path: bool
    ) -> Answer:
        """A recipient of a message that is to be passed on (check/cutthrough.py)."""
        ...

    async def send_held(self, held: Held, envelope: Envelope, message: Message) -> Passed:
        """The message, behind its recipients."""
        ...

    async def expand(self, candidate: Candidate, scope: Scope) -> Routed:
        """For EXPN: as far as the first redirection."""
        ...


async def _nothing_waits(_queue: str) -> frozenset[str]:
    return frozenset()


class CheckServices:
    """What checks ask, made once per configuration."""

    __slots__ = (
        "acls",
        "csa",
        "host_names",
        "log",
        "log_style",
        "records",
        "skips_delays",
        "takes_literals",
        "tells_details",
        "verifier",
        "waiting_domains",
    )

    def __init__(
        self,
        acls: Acls,
        verifier: Verifier,
        host_names: NameFinder,
        log: Log,
        records: HintRecords,
        log_style: LogStyle = USUAL,
        *,
        tells_details: bool = False,
        csa: CsaRules = USUAL_CSA,
        takes_literals: bool = True,
        waiting_domains: Callable[[str], Awaitable[frozenset[str]]] = _nothing_waits,
    ) -> None:
        """`tells_details`: clients hear why a verification has failed (`smtp_return_error_details`).
        `takes_literals`: `allow_domain_literals`. `waiting_domains`: those of the recipients that mail waits for in a queue, by its name.
        """
        self.acls = acls
        self.verifier = verifier
        self.host_names = host_names
        self.log = log
        self.records = records
        self.log_style = log_style
        self.tells_details = tells_details
        self.csa = csa
        self.takes_literals = takes_literals
        self.waiting_domains = waiting_domains
        self.skips_delays = False
        """Nobody is there who would have to wait (`exim -bh`)."""


class Log(DebugFiles, Protocol):
    def main(self, line: str) -> None: ...

    def reject(self, line: str) -> None: ...

    def panic(self, line: str) -> None: ...

    def panic_only(self, line: str) -> None: ...


class HeaderChanges:
    """What ACLs add and remove: gathered until the next step that changes the message takes it. Equal additions count once."""

    __slots__ = ("_size", "added", "removed")

    def __init__(self) -> None:
        self.added: dict[tuple[str, str], None] = {}
        """(place, field): place is `at_end`, `at_start`, `at_start_rfc` or `after_received`."""
        self.removed: dict[str, None] = {}
        """Names, lower case."""
        self._size = 0

    def add(self, field: str, place: str = "at_end") -> None:
        if (place, field) not in self.added and self._size + len(field) <= HEADERS_MAX:
            self._size += len(field)
            self.added[(place, field)] = None

    def remove(self, name: str) -> None:
        if len(self.removed) < HEADERS_MAX // 64:
            self.removed[name] = None


class Shape(Protocol):
    def __call__(self, *, keepalive: bool, dscp: int) -> None: ...


class CustomerDomains(msgspec.Struct, frozen=True):
    """What the last `atrn_domains` has found."""

    waiting: frozenset[str]
    """Those of its list that mail waits for."""
    shown: str
    """Its items, for the log."""


class CheckMemory:
    """What checks remember: for as long as the message, and through `connection` for as long as the connection."""

    __slots__ = (
        "connection",
        "controls",
        "customer",
        "debug",
        "describe_message",
        "failed_sender",
        "flush",
        "holder",
        "indent",
        "lists",
        "queue",
        "rates",
        "scans",
        "sender_address_data",
        "sender_failure",
        "shape",
        "spf",
        "told_depth",
        "verified",
        "warned",
        "wellknown",
    )

    def __init__(self, connection: CheckMemory | None = None) -> None:
        self.connection = connection or self
        self.lists: ListFacts = ListFacts() if connection is None else connection.lists
        if connection is not None:
            self.lists.sender = self.lists.recipient = ""
        self.controls: set[str] = set()
        """Those of `control` that hold for the connection."""
        self.flush: Callable[[], Awaitable[None]] | None = None
        """Lets go out what the client was told by now; None: nobody is talked to."""
        self.debug: DebugLog | None = None
        """`control = debug` is on."""
        self.describe_message: Callable[[], str] | None = None
        """Its envelope and headers as rejectlog shows them; None: it is not here yet."""
        self.shape: Shape | None = None
        """Of the client's socket."""
        self.indent = 0
        """Columns by which what is told of ACLs and lists stands further to the right: as Exim's, it moves with each list that ends because
        a name or an address cannot be found."""
        self.told_depth = 0
        """How deep in ACLs the asker is: 0 outside."""
        self.queue = ""
        """The named queue of the connection's messages."""
        self.holder: Holder | None = None
        """Keeps a callout's connection for the message."""
        self.customer: CustomerDomains | None = None
        """Whose mail ATRN is to send."""
        self.wellknown: str | None = None
        """What WELLKNOWN is to be answered with."""
        self.warned: set[str] = set()
        """Warnings that the log has already."""
        self.rates: dict[str, float] = {}
        """What `ratelimit` has measured, by key."""
        self.scans: dict[str, Any] = {}
        """What scanners have said of the message, by question."""
        self.verified: dict[object, object] = {}
        """Addresses and how that was asked, and what came of it."""
        self.spf: SpfFacts | None = None
        """What the last `spf` condition has found out."""
        self.sender_address_data = ""
        self.sender_failure = ""
        """`$sender_verify_failure`: of the last verification that was made."""
        self.failed_sender: FailedSender | None = None
        """Whom the last `verify = sender` refused: the next refusal tells the client."""


PLACES = {
    "auth": "AUTH",
    "connect": "connection",
    "data_prdr": "PRDR",
    "dkim": "DKIM",
    "helo": "EHLO or HELO",
    "not_smtp": "non-SMTP",
    "not_smtp_start": "non-SMTP-start",
    "unknown": "unknown",
}


def place_name(where: str) -> str:
    """What Exim calls the ACL of that point, in its messages."""
    return PLACES.get(where) or where.upper()


class AclState:
    """One run of one ACL. `controls` and the header changes outlive it, in the transaction."""

    __slots__ = (
        "_connection",
        "acl_name",
        "client",
        "command_rates",
        "controls",
        "depth",
        "facts",
        "has_called",
        "headers",
        "left_over",
        "log_message",
        "memory",
        "message",
        "own",
        "recipient",
        "say",
        "scope",
        "services",
        "targets",
        "where",
    )

    def __init__(
        self,
        where: str,
        scope: Scope,
        connection: Origin,
        facts: MessageFacts,
        services: CheckServices,
        recipient: Candidate | None = None,
        controls: dict[str, str] | None = None,
        headers: HeaderChanges | None = None,
        memory: CheckMemory | None = None,
    ) -> None:
        self.where = where
        """`connect`, `helo`, `mail`, `rcpt`, `data`, …: for checks of what may stand where, and for the log."""
        self.scope = scope
        self._connection = connection
        self.client = scope.facet(ClientName)
        self.facts = facts
        self.services = services
        self.recipient = recipient
        self.message: Template | None = None
        """Of `message =`: the peer's text, expanded only when this statement decides (Exim 44.12)."""
        self.log_message: Template | None = None
        self.own: Reason | None = None
        """The texts of the statement's last condition that had any."""
        self.left_over: Reason | None = None
        """What the last statement would have said, had it decided: the texts of the implicit `deny`."""
        self.controls = {} if controls is None else controls
        self.headers = HeaderChanges() if headers is None else headers
        self.targets: frozenset[str] = USUAL_TARGETS
        """Logs that a refusal goes to (`log_reject_target`)."""
        self.memory = memory or CheckMemory()
        self.command_rates: dict[str, float] = {}
        """What `ratelimit` has measured during this command."""
        self.depth = 0
        self.has_called = False
        """The statement has run another ACL: as Exim, the log no longer knows which line this one stands in."""
        self.acl_name = ""
        """Of the ACL that runs."""
        self.say: Callable[[str, int], None] | None = None
        """Hears what lines do besides, and how far to the right that stands; None: nobody listens."""

    @property
    def connection(self) -> Origin:
        """With the client's name as soon as a condition has found it out."""
        client, known = self.client, self._connection
        if client is not None and client.is_shown and client.name != known.host_name:
            known = self._connection = msgspec.structs.replace(known, host_name=client.name)
            self.scope = self.scope.with_facet(Origin, known)
        return known

    def tell(self, text: str, *, at_left: bool = False) -> None:
        """For those who listen (`exim -bh`), in Exim's words."""
        if self.say is not None:
            self.say(text, 0 if at_left else self.depth - 1 + self.memory.connection.indent)

    async def flush(self, unless: str) -> None:
        """Before something that takes time: a client that pipelines hears what it was told before. `unless`: the control that forbids it."""
        connection = self.memory.connection
        if connection.flush is not None and unless not in connection.controls:
            await connection.flush()

    def panic(self, line: str) -> None:
        """For the administrator: the configuration is at fault."""
        self.log(line, self.services.log.panic)

    def log(self, line: str, to: Callable[[str], None]) -> None:
        """With the message's id in front, once it has one."""
        to(f"{self.facts.id} {line}" if self.facts.id else line)
