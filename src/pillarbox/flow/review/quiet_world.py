"""A world in which nothing is found and everybody can be verified: what an ACL does there depends on the configuration alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pillarbox.flow.check import callout, cutthrough
from pillarbox.flow.check.acl.state import CheckServices, VerifyFailure, VerifyWish
from pillarbox.flow.check.held import Held, Holder
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Routed
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.match.host_names import FoundName
from pillarbox.language.nowhere import StillClock
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Message
from pillarbox.ports.dns import Answer, RecordType
from pillarbox.ports.hint_records import Database, HintRecord, Update
from pillarbox.ports.lookups import STYLES, Lookup, LookupStyle


class _EmptyLookup:
    def __init__(self, kind: str) -> None:
        self.is_query_style = STYLES.get(kind) is not LookupStyle.SINGLE_KEY

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return None

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return None

    def quote(self, text: str, option: str) -> str | None:
        return text


class _Quiet(StillClock):
    """Lookups, resolver, clock, verifier, host names and log at once."""

    def get(self, kind: str) -> Lookup | None:
        return _EmptyLookup(kind)

    def kinds(self) -> frozenset[str]:
        return frozenset(STYLES)

    async def query(self, name: str, kind: RecordType) -> Answer:
        return Answer("no_name")

    async def verify(
        self,
        candidate: Candidate,
        scope: Scope,
        *,
        is_sender: bool,
        wish: VerifyWish | None = None,
        called: list[str] | None = None,
        data: list[str] | None = None,
        holder: Holder | None = None,
    ) -> VerifyFailure | None:
        return None

    async def ask_onward(
        self, candidate: Candidate, scope: Scope, holder: Holder, *, uses_return_path: bool
    ) -> callout.Answer:
        return cutthrough.OFF

    async def send_held(self, held: Held, envelope: Envelope, message: Message) -> cutthrough.Passed:
        return cutthrough.Passed("unsaid")

    async def expand(self, candidate: Candidate, scope: Scope) -> Routed:
        return Routed()

    async def name_of(self, address: str) -> FoundName:
        return FoundName()

    def read(self, database: Database, key: str) -> HintRecord | None:
        return None

    def change(self, database: Database, key: str, update: Update) -> None:
        update(None)

    def forget(self, database: Database, keys: Sequence[str]) -> None:
        return None

    def all(self, database: Database) -> Iterator[tuple[str, HintRecord]]:
        return iter(())

    def tidy(self, older_than: float) -> int:
        return 0

    def panic(self, line: str) -> None:
        return None

    def panic_only(self, line: str) -> None:
        return None

    @property
    def panics(self) -> int:
        return 0

    def debug(self, tag: str, text: str | None) -> None:
        return None

    def main(self, line: str) -> None:
        return None

    def reject(self, line: str) -> None:
        return None


def quiet_services(facts: Mapping[type, object]) -> Services:
    quiet = _Quiet()
    return Services(quiet, quiet, quiet, facts)


def quiet_checks(acls: Any) -> CheckServices:
    quiet = _Quiet()
    return CheckServices(acls, quiet, quiet, quiet, quiet)
