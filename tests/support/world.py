"""A world for acceptance: configuration text → the real `Mta` over a spool, accounts, DNS, clock and journal in memory. No sockets.

    world = AcceptWorld("begin acl\\nrcpt:\\n  accept\\n")
    session = world.session(stream)

The configuration is completed: what is missing of the main options, routers and transports comes from `DEFAULTS`, and an ACL called
`connect`, `helo`, `mail`, `rcpt`, `data`, … is the one for that point. First deliveries are collected in `accepted`, not made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from tests.support.clock import JumpClock
from tests.support.configuration_texts import load_text
from tests.support.delivery_world import DictHints, MemoryUserFiles, NoNetwork
from tests.support.fake_dns import FakeDns
from tests.support.routing import FakeFiles, FakeLookup, FakeLookups, FakeSystemUsers

import pillarbox.app
from pillarbox.app.accepting import WHERE
from pillarbox.app.configuration import declare_all, mistakes
from pillarbox.app.mta import Mta
from pillarbox.backends.accounts.logins import AccountLogins
from pillarbox.backends.hints.records import MemoryRecords
from pillarbox.backends.journal.memory import MemoryJournal
from pillarbox.backends.spool.memory import MemorySpool
from pillarbox.config.errors import ConfigError
from pillarbox.flow.accept.session import Session
from pillarbox.flow.check.acl.syntax import compile_acl
from pillarbox.flow.queue.due import DueTable
from pillarbox.flow.transport.keep import ConnectionKeep
from pillarbox.ports.localwork import LocalWork, NoLocalWork
from pillarbox.ports.network import Network
from pillarbox.ports.spool import Queued
from pillarbox.ports.users import Account, LoginThrottled, ScramCredentials
from pillarbox.wire.sasl.scram import derive_keys

DEFAULTS = """
primary_hostname = mx.test
qualify_domain = local.test
dsn_advertise_hosts = *
smtp_banner = $primary_hostname ESMTP
domainlist local_domains = local.test
rfc1413_hosts =
begin acl
begin routers
redirected:
  driver = redirect
  domains = +local_domains
  allow_fail
  allow_defer
  data = ${lookup{$local_part}lsearch{/aliases}}
users:
  driver = accept
  domains = +local_domains
  check_account
  transport = mailbox
others:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote
begin transports
mailbox:
  driver = appendfile
  directory = $home
  maildir_format
remote:
  driver = smtp
begin authenticators
plain:
  driver = accounts
login:
  driver = accounts
scram:
  driver = accounts
  public_name = SCRAM-SHA-256
"""
SHIPPED = (Path(pillarbox.app.__file__).parent / "shipped.conf").read_text()
SHIPPED_WORDS = {
    "HOSTNAME": "local.test",
    "DATA": "/data",
    "INTERFACES": "127.0.0.1",
    "SMTP": "2525",
    "SUBMISSION": "2587",
    "SUBMISSIONS": "2465",
    "IMAP": "",
    "IMAPS": "",
    "POP3": "",
    "POP3S": "",
}
_SECTION = re.compile(r"^begin (\w+)$", re.MULTILINE)


class MemoryUsers:
    """`ports.users.Users` with passwords in clear. Three failures from one address, and it must wait."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self.passwords = dict(passwords)
        self.failures: list[tuple[str, str]] = []

    def find(self, name: str) -> Account | None:
        local_part = name.lower().partition("@")[0]
        return Account(local_part, f"/mail/{local_part}") if local_part in self.passwords else None

    def scram(self, name: str) -> ScramCredentials | None:
        password = self.passwords.get(name)
        return None if password is None else _credentials(password)

    def fake_scram(self, name: str) -> ScramCredentials:
        return _credentials("nobody has this one")

    async def verify(self, name: str, password: str, peer_address: str) -> Account | None:
        self.check_throttle(name, peer_address)
        if self.passwords.get(name) == password:
            return self.find(name)
        self.failures.append((name, peer_address))
        return None

    async def note_failure(self, name: str, peer_address: str) -> None:
        self.failures.append((name, peer_address))

    def check_throttle(self, name: str, peer_address: str) -> None:
        if sum(address == peer_address for _, address in self.failures) >= 3:
            raise LoginThrottled(30.0)


@cache
def _credentials(password: str) -> ScramCredentials:
    keys = derive_keys(password)
    return ScramCredentials(keys.salt, keys.stored_key, keys.server_key, keys.iterations)


class AcceptWorld:
    """`tables`: lookup files by path. `capacity`: bytes that the spool has room for."""

    def __init__(
        self,
        config: str = "",
        *,
        zone: str = "",
        users: Mapping[str, str] | None = None,
        tables: Mapping[str, Mapping[str, str]] | None = None,
        capacity: int = 1 << 30,
        has_tls: bool = False,
        slow_lookups: bool = False,
        network: Network | None = None,
        local_work: LocalWork | None = None,
    ) -> None:
        self.clock = JumpClock()
        self.journal = MemoryJournal()
        self.dns = FakeDns(zone)
        self.spool = MemorySpool(self.clock, capacity=capacity)
        self.users = MemoryUsers(users or {})
        lookup = FakeLookup({"/aliases": {}, "/data/aliases": {}, **(tables or {})}, is_slow=slow_lookups)
        self.accepted: list[Queued] = []
        ports = self._ports(lookup, network or NoNetwork(), local_work or NoLocalWork())
        self.mta = Mta(build_config(config), ports)
        services = self.mta.accept_services
        self.services = msgspec.structs.replace(services, deliver=self.accepted.append)
        self.policy = msgspec.structs.replace(self.mta.policy, tls_available=has_tls)
        self.lmtp_policy = msgspec.structs.replace(self.mta.lmtp_policy, tls_available=has_tls)

    def session(self, stream: Any, *, lmtp: bool = False, is_tls: bool = False) -> Session:
        policy = self.lmtp_policy if lmtp else self.policy
        return Session(stream, policy, self.services, is_tls=is_tls)

    def _ports(self, lookup: FakeLookup, network: Network, local_work: LocalWork) -> Any:
        return SimpleNamespace(
            is_alone=False,
            queue="",
            clock=self.clock,
            network=network,
            journal=self.journal,
            spool=self.spool,
            due=DueTable(),
            hints=DictHints(),
            user_files=MemoryUserFiles(),
            local_work=local_work,
            delivery_work=local_work,
            identities=None,
            resolver=self.dns,
            hosts=self.dns,
            text_files=FakeFiles({}),
            system_users=FakeSystemUsers(),
            lookups=FakeLookups(lookup),
            users=self.users,
            logins=AccountLogins(self.users),  # type: ignore[arg-type]
            keep=ConnectionKeep(self.clock),
            records=MemoryRecords(),
        )


def build_config(text: str) -> Any:
    """`shipped`: the configuration that first starts write. Otherwise `text` completed by `DEFAULTS`. Raises ConfigError."""
    declare_all()
    whole = _shipped() if text.strip() == "shipped" else complete(text)
    config = load_text(whole, acl_compiler=compile_acl)
    if problems := mistakes(config):
        raise ConfigError(problems)
    return config


def complete(text: str) -> str:
    """A section that `text` has stands for the default one; its main options come behind the default ones."""
    given, defaults = _sections(text), _sections(DEFAULTS)
    acls = re.findall(r"^(\w+):", given.get("acl", ""), re.MULTILINE)
    if "rcpt" not in acls:
        given["acl"] = f"{given.get('acl', '')}\nrcpt:\n  accept\n"
        acls.append("rcpt")
    named = [f"acl_smtp_{acl} = {acl}" for acl in acls if acl in WHERE]
    named += ["acl_not_smtp = not_smtp"] if "not_smtp" in acls else []
    mine = {line.partition("=")[0].strip() for line in given[""].splitlines() if "=" in line}
    kept = [line for line in defaults[""].splitlines() if line.partition("=")[0].strip() not in mine]
    parts = [*kept, *named, given.pop("")]
    for name, section in {**defaults, **given}.items():
        if name:
            parts.append(f"begin {name}\n{section}")
    return "\n".join(parts)


def _sections(text: str) -> dict[str, str]:
    main, *rest = _SECTION.split(text)
    return {"": main, **dict(zip(rest[::2], rest[1::2], strict=True))}


def _shipped() -> str:
    text = SHIPPED
    for word, value in SHIPPED_WORDS.items():
        text = text.replace(f"@{word}@", value)
    return re.sub(r"^tls_(certificate|privatekey) .*$", "", text, flags=re.MULTILINE)
