"""The resolver: cache, then the name servers in turn, then a plain word about how it ended.

A question asked by several at once goes out once. A server that failed lately is asked last. All waits and numbers are bounded:
`retrans` seconds for the first round over the servers, twice that for the second (Exim's `dns_retrans`, `dns_retry`), at most
`max_in_flight` questions outside, at most ten CNAMEs.

RFC 1034 §5.3.3, RFC 2308, RFC 5452. Known gaps: no search lists (names are complete), no validation of our own.
"""

from __future__ import annotations

import asyncio

import msgspec

from pillarbox.ports.clock import Clock
from pillarbox.ports.dns import Answer, RecordType
from pillarbox.system.dns.cache import AnswerCache, Key
from pillarbox.system.dns.packet import (
    FORMERR,
    NOERROR,
    NXDOMAIN,
    RCODE_NAMES,
    AliasLoop,
    NameError,
    PacketError,
    Response,
    decode,
    encode_question,
    is_truncated,
)
from pillarbox.system.dns.servers import NameServer, NameServers
from pillarbox.system.dns.tcp import ask_over_tcp
from pillarbox.system.dns.udp import ServerSilent, UdpPool

_MAX_CNAMES = 10
_AVOID_FAILED_FOR = 30.0
_MAX_POOLS = 16


class ResolverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`retrans`: seconds for the first try of each server; `retry`: rounds over all servers."""

    retrans: float = 2.5
    retry: int = 2
    tcp_timeout: float = 5.0
    max_in_flight: int = 1_000
    cache_size: int = 20_000
    edns: bool = True
    """Questions have an OPT record (RFC 6891)."""
    keeps_authority: bool = False
    """`Answer.authority` is wanted."""


class DnsResolver:
    """`ports.dns.Resolver` over UDP and TCP. Belongs to one event loop."""

    def __init__(self, servers: NameServers, clock: Clock, settings: ResolverSettings | None = None) -> None:
        self._servers = servers
        self._clock = clock
        self._settings = settings or ResolverSettings()
        self._cache = AnswerCache(self._settings.cache_size)
        self._in_flight: dict[Key, asyncio.Task[Answer]] = {}
        self._pools: dict[NameServer, UdpPool] = {}
        self._failed_at: dict[NameServer, float] = {}

    async def query(self, name: str, kind: RecordType) -> Answer:
        key = (name.lower().removesuffix("."), kind)
        cached = self._cache.get(key, self._clock.monotonic())
        if cached is not None:
            return cached
        task = self._in_flight.get(key)
        if task is None:
            if len(self._in_flight) >= self._settings.max_in_flight:
                return Answer("again", detail="too many DNS questions at once")
            task = asyncio.get_running_loop().create_task(self._resolve(*key))
            self._in_flight[key] = task
            task.add_done_callback(lambda _: self._in_flight.pop(key, None))
        return await asyncio.shield(task)  # others may wait for it: our being cancelled must not end it

    def search_list(self) -> tuple[str, ...]:
        """Domains that complete a name."""
        return self._servers.search_list(self._clock.monotonic())

    def forget(self) -> None:
        """Empty the cache."""
        self._cache.clear()

    async def close(self) -> None:
        tasks = list(self._in_flight.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    async def _resolve(self, name: str, kind: RecordType) -> Answer:
        """Follow CNAMEs across packets: a resolver normally sends the whole chain in one."""
        asked, is_secure, least_ttl = name, True, float("inf")
        for _ in range(_MAX_CNAMES):
            try:
                question = encode_question(asked, kind)
            except NameError as error:
                return Answer("no_name", detail=str(error))
            try:
                result = await self._exchange(question, asked, kind)
            except AliasLoop:
                return self._keep(
                    (name, kind), Answer("no_name", detail=f"CNAME loop for {name} encountered")
                )
            if isinstance(result, str):
                return self._keep((name, kind), Answer("again", detail=result))
            response, server = result
            is_secure = is_secure and response.is_authentic and server.is_trusted
            least_ttl = min(least_ttl, response.ttl)
            if response.records or response.rcode == NXDOMAIN or response.name == asked:
                authority = response.authority if asked == name else ""  # not of a part of the chain
                return self._keep((name, kind), _answer(response, name, least_ttl, is_secure, authority))
            asked = response.name
        return self._keep((name, kind), Answer("again", detail=f"CNAME chain of {name} is too long"))

    def _keep(self, key: Key, answer: Answer) -> Answer:
        self._cache.put(key, answer, self._clock.monotonic())
        return answer

    async def _exchange(
        self, question: bytes, name: str, kind: RecordType
    ) -> tuple[Response, NameServer] | str:
        """The first server's word that counts, or why there was none."""
        trouble: list[str] = []
        timeout = self._settings.retrans
        for _ in range(max(1, self._settings.retry)):
            somebody_was_silent = False
            for server in self._in_order():
                try:
                    response = await self._ask(server, question, name, kind, timeout)
                except ServerSilent as error:
                    somebody_was_silent = True
                    trouble.append(f"{server} {error}")
                except AliasLoop:
                    raise
                except PacketError as error:
                    trouble.append(f"{server} sent a bad packet: {error}")
                else:
                    if response.rcode in (NOERROR, NXDOMAIN):
                        self._failed_at.pop(server, None)
                        return response, server
                    trouble.append(f"{server} said {RCODE_NAMES.get(response.rcode, response.rcode)}")
                    continue
                self._failed_at[server] = self._clock.monotonic()
            if not somebody_was_silent:
                break  # they all gave an answer, only not a useful one: asking again at once is no use
            timeout *= 2
        return f"{kind} of {name}: " + "; ".join(dict.fromkeys(trouble))

    async def _ask(
        self, server: NameServer, question: bytes, name: str, kind: RecordType, timeout: float
    ) -> Response:
        pool = self._pool(server)
        edns = self._settings.edns
        packet = await pool.ask(question, timeout, edns=edns)
        if edns and packet[3] & 15 == FORMERR:  # a server from before EDNS0 (RFC 6891 §6.2.2)
            packet = await pool.ask(question, timeout, edns=False)
        if is_truncated(packet):
            packet = await ask_over_tcp(server, question, self._settings.tcp_timeout, edns=edns)
        return decode(packet, question, name, kind, keeps_authority=self._settings.keeps_authority)

    def _in_order(self) -> list[NameServer]:
        """Servers as listed, those that failed lately behind the others."""
        now = self._clock.monotonic()
        servers = self._servers.current(now)
        if not self._failed_at:
            return list(servers)
        return sorted(servers, key=lambda s: self._failed_at.get(s, float("-inf")) + _AVOID_FAILED_FOR > now)

    def _pool(self, server: NameServer) -> UdpPool:
        pool = self._pools.get(server)
        if pool is None:
            if len(self._pools) >= _MAX_POOLS:  # resolv.conf has changed many times
                oldest = next(iter(self._pools))
                self._pools.pop(oldest).close()
                self._failed_at.pop(oldest, None)
            pool = self._pools[server] = UdpPool(server)
        return pool


def _answer(response: Response, asked: str, ttl: float, is_secure: bool, authority: str) -> Answer:
    if response.records:
        status = "found"
    elif response.rcode == NXDOMAIN:
        status = "no_name"
    else:
        status = "no_data"
    name = response.name if response.name != asked else ""
    return Answer(status, response.records, name, float(ttl), is_secure, authority=authority)  # type: ignore[arg-type]
