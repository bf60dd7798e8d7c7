"""ldap, ldapm, ldapdn and ldapauth: questions to a directory in the form of a URL (Exim 9.11).

    [NAME=value …] ldap[s|i]://[server]/base?attributes?scope?filter

ldap gives the attributes of one entry, ldapm those of all, ldapdn one entry's name; ldapauth only binds, and finds an empty text when the
password is right. Servers not named in the URL come from `SERVERS=` or the main option `ldap_default_servers` and are tried in turn.

Differs from Exim's libldap: connections have limits, and one is never used for another user or password than it was bound with; a referral
is followed without a login, at most `MOST_HOPS` deep.
"""

from __future__ import annotations

from pillarbox.backends.lookups.directory import messages
from pillarbox.backends.lookups.directory.connection import (
    DEFAULT_PORTS,
    BindFailed,
    Found,
    LdapConnection,
    Lost,
    Place,
    Unreachable,
    connect,
)
from pillarbox.backends.lookups.directory.entry_text import entry_text
from pillarbox.backends.lookups.directory.filters import FilterError, encode_filter
from pillarbox.backends.lookups.directory.messages import Outcome, Search
from pillarbox.backends.lookups.directory.query import Parameters, Url, parse_query, parse_url
from pillarbox.backends.lookups.directory.quoting import quote_dn, quote_filter
from pillarbox.backends.lookups.directory.result_codes import code_text
from pillarbox.backends.lookups.driver import LookupWorld, QueryStyle
from pillarbox.backends.lookups.servers.attempt import ServerFailed, ask_in_turn
from pillarbox.backends.lookups.servers.listing import split_list
from pillarbox.backends.lookups.servers.pool import Pool
from pillarbox.ports.lookups import Lookup, LookupDefer, LookupSettings

MOST_HOPS = 3
MOST_REFERENCES = 10
_NOT_THERE = (messages.NO_SUCH_OBJECT, messages.INVALID_DN)


class Directory(QueryStyle):
    """What the kinds have in common: connections, and a server's question. Implements `ports.lookups.Lookup`."""

    def __init__(self, kind: str, settings: LookupSettings, pool: Pool[Place, LdapConnection]) -> None:
        self._kind = kind
        self._settings = settings
        self._pool = pool

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        if not key.strip():
            return None  # as Exim: nothing was asked
        parameters, url = parse_query(key)
        if self._kind == "ldapauth" and (parameters.user is None or parameters.password is None):
            raise LookupDefer("ldapauth lookups must specify the username and password")
        listed = self._settings.ldap_default_servers if parameters.servers is None else parameters.servers
        servers = list(split_list(listed)) if url.wants_default_servers else [url.host]
        if not servers and parameters.servers is None:
            servers = [""]
        return await ask_in_turn(servers, lambda server: self._ask(server, parameters, url))

    async def _ask(self, server: str, parameters: Parameters, url: Url) -> str | None:
        place = _place(server, parameters, url)
        if self._kind == "ldapauth":
            return await self._authenticate(place)
        found = await self._search(place, parameters, url, MOST_HOPS)
        if len(found.entries) > 1 and self._kind != "ldapm":
            raise LookupDefer(
                f"LDAP search: more than one entry ({len(found.entries)}) was returned (filter not specific enough?)"
            )
        if self._kind == "ldapdn":
            return found.entries[0].dn if found.entries else None
        texts = [entry_text(entry, url.attributes) for entry in found.entries if entry.attributes]
        return "\n".join(texts) if texts else None

    async def _authenticate(self, place: Place) -> str | None:
        """On a connection of its own. An empty password would be an anonymous bind, which proves nothing."""
        if not place.password:
            return None
        try:
            connection = await connect(place, self._settings)
        except BindFailed as failed:
            if failed.outcome.code == messages.INVALID_CREDENTIALS:
                return None
            raise ServerFailed(_bind_text(place, failed.outcome)) from None
        except Unreachable:
            raise ServerFailed(_bind_text(place, None)) from None
        connection.close()
        return ""

    async def _search(self, place: Place, parameters: Parameters, url: Url, hops: int) -> Found:
        """With what referrals lead to. Raises ServerFailed, LookupDefer."""
        search = _request(parameters, url)
        try:
            async with self._pool.connection(place) as connection:
                found = await connection.search(search, parameters.nettime)
        except BindFailed as failed:
            raise ServerFailed(_bind_text(place, failed.outcome)) from None
        except Lost:
            raise ServerFailed("ldap_result failed: -1, Can't contact LDAP server") from None
        except Unreachable:
            raise ServerFailed(_bind_text(place, None)) from None
        except TimeoutError:
            raise ServerFailed("LDAP search timed out") from None
        if parameters.follows_referrals:
            found = await self._follow(found, parameters, url, hops)
        outcome = found.outcome
        if outcome.code not in (messages.SUCCESS, messages.SIZE_LIMIT, *_NOT_THERE):
            raise ServerFailed(_search_text(outcome))
        return found

    async def _follow(self, found: Found, parameters: Parameters, url: Url, hops: int) -> Found:
        """Entries of other servers added; a server that gives none is left out, as with libldap."""
        if found.outcome.code == messages.REFERRAL and hops:
            return await self._elsewhere(found.outcome.referrals, parameters, url, hops) or found
        for urls in found.references[:MOST_REFERENCES] if hops else ():
            more = await self._elsewhere(urls, parameters, url, hops)
            if more is not None:
                found.entries += more.entries
        return found

    async def _elsewhere(
        self, urls: tuple[str, ...], parameters: Parameters, url: Url, hops: int
    ) -> Found | None:
        for text in urls[:MOST_REFERENCES]:
            try:
                there = parse_url(text)
                asked = Url(
                    there.scheme,
                    there.host,
                    there.base or url.base,
                    url.attributes,
                    url.scope,
                    url.filter,
                    False,
                )
                plain = Parameters(
                    size=parameters.size,
                    time=parameters.time,
                    nettime=parameters.nettime,
                    dereference=parameters.dereference,
                )
                return await self._search(_place(there.host, plain, there), plain, asked, hops - 1)
            except (ServerFailed, LookupDefer):
                continue
        return None

    def quote(self, text: str, option: str) -> str | None:
        if self._kind == "ldapauth":
            return None if option else text
        match option:
            case "":
                return quote_filter(text)
            case "dn":
                return quote_dn(text)
            case _:
                return None


def _request(parameters: Parameters, url: Url) -> Search:
    """Raises LookupDefer."""
    try:
        encoded = encode_filter(url.filter or "(objectClass=*)")
    except FilterError:
        raise LookupDefer("ldap_search failed: -7, Bad search filter") from None
    return Search(
        url.base, url.scope, encoded, url.attributes, parameters.dereference, parameters.size, parameters.time
    )


def _place(server: str, parameters: Parameters, url: Url) -> Place:
    """`server`: `host:port`, a socket's path, or empty. Raises ServerFailed."""
    login = (parameters.user or "", parameters.password or "", parameters.nettime)
    if server.startswith("/"):
        return Place("ldapi", server, 0, *login)
    if url.scheme == "ldapi" and server:
        raise ServerFailed(f'ldapi requires an absolute path ("{server}" given)')
    default = DEFAULT_PORTS.get(url.scheme, 389)
    if server.startswith("["):
        host, _, rest = server[1:].partition("]")
        port = rest.removeprefix(":")
    elif server.count(":") == 1:
        host, _, port = server.partition(":")
    else:
        host, port = server, ""
    number = int(port) if port.isdigit() else 0
    if any(character.isspace() for character in host):
        raise ServerFailed(f'ldap_initialize: (error -9) URL "{url.scheme}://{host}:{number or default}/"\n')
    return Place(url.scheme, host, number or default, *login)


def _bind_text(place: Place, outcome: Outcome | None) -> str:
    server = place.host if place.is_socket else f"{place.host or 'NULL'}:{place.port}"
    if outcome is None:
        return f"failed to bind the LDAP connection to server {server} - ldap_bind() returned -1"
    return (
        f"failed to bind the LDAP connection to server {server}"
        f" - LDAP error {outcome.code}: {code_text(outcome.code)}"
    )


def _search_text(outcome: Outcome) -> str:
    text = f"LDAP search failed - error {outcome.code}: {code_text(outcome.code)}"
    if outcome.message:
        text += f"/{outcome.message}"
    if outcome.matched:
        text += f"/{outcome.matched}"
    return text


def make(kind: str, world: LookupWorld) -> Lookup:
    settings = world.settings
    pool = world.shared.setdefault("ldap", Pool(lambda place: connect(place, settings)))
    assert isinstance(pool, Pool)
    return Directory(kind, settings, pool)
