"""One connection to a directory server: connect, encrypt, bind, then one search at a time."""

from __future__ import annotations

import asyncio
import ssl

import msgspec

from pillarbox.backends.lookups.directory import messages
from pillarbox.backends.lookups.directory.ber import BerError
from pillarbox.backends.lookups.directory.messages import (
    BIND_DONE,
    EXTENDED_DONE,
    SUCCESS,
    UNBIND,
    Entry,
    Outcome,
    Search,
    bind_request,
    read_entry,
    read_outcome,
    read_response,
    read_urls,
    search_request,
    start_tls_request,
)
from pillarbox.backends.lookups.servers.pool import CONNECT_LIMIT, QUERY_LIMIT
from pillarbox.mail.taint import plain
from pillarbox.ports.lookups import LookupSettings
from pillarbox.system.streams import send

MOST_ENTRIES = 10_000
DEFAULT_PORTS = {"ldap": 389, "ldaps": 636}


class Unreachable(Exception):
    """No connection."""


class Lost(Exception):
    """The connection broke in the middle of a search."""


class BindFailed(Exception):
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


class Place(msgspec.Struct, frozen=True):
    """Where a server is, and as whom to bind."""

    scheme: str
    host: str
    """Begins with a slash: a Unix socket. Empty: this machine."""
    port: int
    user: str = ""
    password: str = ""
    patience: int = 0
    """Seconds to connect; 0: `CONNECT_LIMIT`."""

    @property
    def is_socket(self) -> bool:
        return self.host.startswith("/")


class Found(msgspec.Struct):
    entries: list[Entry]
    references: list[tuple[str, ...]]
    outcome: Outcome


class LdapConnection:
    """Implements `servers.pool.Connection`. Make it with `connect`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._last_id = 0
        self._is_idle = True

    @property
    def is_usable(self) -> bool:
        return self._is_idle and not self._reader.at_eof() and not self._writer.is_closing()

    def close(self) -> None:
        if not self._writer.is_closing():
            self._writer.write(UNBIND)
        self._writer.close()

    async def search(self, search: Search, patience: int) -> Found:
        """Raises Lost, TimeoutError."""
        self._is_idle = False
        self._last_id += 1
        found = Found([], [], Outcome(SUCCESS))
        try:
            async with asyncio.timeout(patience or QUERY_LIMIT):
                send(self._writer, search_request(self._last_id, search))
                while await self._read_into(found):
                    pass
        except TimeoutError:
            raise
        except (OSError, EOFError, BerError) as error:
            raise Lost(str(error)) from None
        self._is_idle = True
        return found

    async def _read_into(self, found: Found) -> bool:
        """Whether there is more to come."""
        message_id, kind, content = await read_response(self._reader)
        if message_id != self._last_id:
            raise BerError("answer to another request")  # notice of disconnection
        match kind:
            case messages.ENTRY if len(found.entries) < MOST_ENTRIES:
                found.entries.append(read_entry(content))
            case messages.REFERENCE if len(found.references) < MOST_ENTRIES:
                found.references.append(read_urls(content))
            case messages.DONE:
                found.outcome = read_outcome(content)
                return False
            case _:
                raise BerError(f"unexpected answer {kind}")
        return True

    async def bind(self, version: int, user: str, password: str) -> None:
        """Raises BindFailed, OSError, EOFError, BerError."""
        self._last_id += 1
        outcome = await self._ask(bind_request(self._last_id, version, user, password), BIND_DONE)
        if outcome.code != SUCCESS:
            raise BindFailed(outcome)

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        self._last_id += 1
        outcome = await self._ask(start_tls_request(self._last_id), EXTENDED_DONE)
        if outcome.code != SUCCESS:
            raise BindFailed(outcome)
        await self._writer.start_tls(context, server_hostname=plain(host))

    async def _ask(self, request: bytes, wanted: int) -> Outcome:
        send(self._writer, request)
        _, kind, content = await read_response(self._reader)
        if kind != wanted:
            raise BerError(f"unexpected answer {kind}")
        return read_outcome(content)


async def connect(place: Place, settings: LookupSettings) -> LdapConnection:
    """Connect and bind. Raises Unreachable, BindFailed."""
    try:
        async with asyncio.timeout(place.patience or CONNECT_LIMIT):
            connection = await _open(place, settings)
            try:
                if settings.ldap_start_tls and place.scheme == "ldap" and not place.is_socket:
                    await connection.start_tls(tls_context(settings), place.host or "localhost")
                await connection.bind(_version(settings), place.user, place.password)
            except BaseException:
                connection.close()
                raise
            return connection
    except TimeoutError:
        raise Unreachable("timed out") from None
    except (OSError, EOFError, BerError, OverflowError) as error:  # the last: a port over 65535
        raise Unreachable(str(error)) from None


def _version(settings: LookupSettings) -> int:
    return settings.ldap_version if settings.ldap_version in (2, 3) else 3


async def _open(place: Place, settings: LookupSettings) -> LdapConnection:
    if place.is_socket:
        return LdapConnection(*await asyncio.open_unix_connection(place.host))
    host = place.host or "localhost"
    if place.scheme == "ldaps":
        context = tls_context(settings)
        return LdapConnection(
            *await asyncio.open_connection(host, place.port, ssl=context, server_hostname=plain(host))
        )
    return LdapConnection(*await asyncio.open_connection(host, place.port))


def tls_context(settings: LookupSettings) -> ssl.SSLContext:
    """From the `ldap_…` options (Exim chapter 14). Raises OSError (files), ssl.SSLError (cipher list)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.ldap_ca_cert_file or settings.ldap_ca_cert_dir:
        context.load_verify_locations(settings.ldap_ca_cert_file or None, settings.ldap_ca_cert_dir or None)
    else:
        context.load_default_certs()
    if settings.ldap_cert_file:
        context.load_cert_chain(settings.ldap_cert_file, settings.ldap_cert_key or None)
    if settings.ldap_cipher_suite:
        context.set_ciphers(settings.ldap_cipher_suite)
    if settings.ldap_require_cert not in ("", "hard", "demand"):
        # allow and try differ from never only in a server that shows no certificate, which TLS does not know
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
