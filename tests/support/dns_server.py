"""A name server on loopback, UDP and TCP, from the zone text of `fake_dns`: for tests of the resolver and of the real daemon.

    async with DnsServer(zone_text) as server:
        server.address                      # "127.0.0.1:40123", as in `nameservers`

Switches make it misbehave: `truncate_udp`, `spoof_first` (a forged answer with a wrong id before the right one), `ignore` (that many
UDP questions go unanswered), `refuse_edns`, `mangle` (a function over the packet). `questions` counts what came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from tests.support.fake_dns import Zone


class DnsServer:
    def __init__(self, text: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self.zone = Zone.parse(text)
        self.questions: list[tuple[str, str, str]] = []
        """(transport, name, type)."""
        self.truncate_udp = False
        self.spoof_first = False
        self.refuse_edns = False
        self.ignore = 0
        self.mangle: Callable[[bytes], bytes] = bytes
        self.host, self.port = host, port
        """0 until it serves: any free one."""

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    async def __aenter__(self) -> DnsServer:
        self._tcp = await asyncio.start_server(self._serve_tcp, self.host, self.port)
        self.port = self._tcp.sockets[0].getsockname()[1]
        self._udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Udp(self), (self.host, self.port)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._udp.close()
        self._tcp.close()

    def answer(self, query: bytes, transport: str) -> bytes | None:
        """The reply packet; None: silence."""
        message = dns.message.from_wire(query)
        question = message.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.questions.append((transport, name, kind))
        response = dns.message.make_response(message)
        if kind in self.zone.silent.get(name, ()):
            return None
        if self.refuse_edns and message.edns >= 0:
            response = dns.message.make_response(dns.message.make_query(question.name, question.rdtype))
            response.id = message.id
            response.set_rcode(dns.rcode.FORMERR)
        elif transport == "udp" and self.truncate_udp:
            response.flags |= dns.flags.TC
        elif kind in self.zone.failing.get(name, ()):
            response.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._fill(response, name, kind)
        return self.mangle(response.to_wire(max_size=65_535))

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        response.flags |= dns.flags.RA
        if name in self.zone.secure:
            response.flags |= dns.flags.AD
        authority = self.zone.authority(name)
        if authority:
            response.flags |= dns.flags.AA
            response.authority.append(_rrset(authority, 300, "NS", f"ns.{authority}"))
        for _ in range(20):
            found = self.zone.of_kind(name, kind)
            if found:
                for each in found:
                    response.answer.append(_rrset(name, each.ttl, kind, each.text))
                return
            aliases = self.zone.of_kind(name, "CNAME")
            if not aliases:
                break
            response.answer.append(_rrset(name, aliases[0].ttl, "CNAME", aliases[0].text))
            name = aliases[0].text.lower().rstrip(".")
        if not self.zone.exists(name):
            response.set_rcode(dns.rcode.NXDOMAIN)
        soa = "ns.invalid. hostmaster.invalid. 1 3600 600 86400 60"
        response.authority.append(_rrset(authority or name.rpartition(".")[2], 300, "SOA", soa))

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            query = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            packet = self.answer(query, "tcp")
            if packet is not None:
                writer.write(len(packet).to_bytes(2, "big") + packet)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        server = self._server
        if server.ignore:
            server.ignore -= 1
            return
        packet = server.answer(data, "udp")
        if packet is None:
            return
        if server.spoof_first:
            forged_id = (int.from_bytes(data[:2], "big") ^ 1).to_bytes(2, "big")
            forged = packet.replace(bytes((192, 0, 2)), bytes((6, 6, 6)))
            self._transport.sendto(forged_id + forged[2:], addr)
            self._transport.sendto(forged[:12] + b"\3bad" + forged[16:], addr)
        self._transport.sendto(packet, addr)


def _rrset(name: str, ttl: int, kind: str, text: str) -> dns.rrset.RRset:
    """Names are absolute whether or not the text ends in a dot."""
    words = text.split()
    if kind in ("MX", "SRV", "CNAME", "NS", "PTR") and not text.endswith("."):
        text += "."
    if kind == "SOA":
        text = " ".join([words[0].rstrip(".") + ".", words[1].rstrip(".") + ".", *words[2:]])
    rdata = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), text, relativize=False)
    return dns.rrset.from_rdata(dns.name.from_text(name), ttl, rdata)
