"""The name that the client's own machine has for it: RFC 1413, `rfc1413_hosts` and `rfc1413_query_timeout` (Exim 14)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from pillarbox.flow.accept.membership import is_surely_in
from pillarbox.language.match.hosts import HostList
from pillarbox.ports.network import DialError
from pillarbox.wire.exim.log_line import printable, sending_host

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

LONGEST = 127
"""Characters of a name that count (Exim cuts there too)."""
LONGEST_ANSWER = 1024
"""Bytes."""
_ANSWER = re.compile(r"\s*(\d+)\s*,\s*(\d+)\s*:\s*USERID\s*:[^:]*:\s*([^\r\n]*)\r?\n")


class IdentRule(msgspec.Struct, frozen=True):
    hosts: HostList
    patience: float
    port: int = 113


async def ask_ident(session: Session, rule: IdentRule) -> None:
    """Who they say it is; nobody when they do not say."""
    origin = session.origin
    if not origin.host_address or origin.ident or not await is_surely_in(session, rule.hosts):
        return
    network = session.services.network
    if network is None:
        return
    try:
        connection = await network.connect(
            origin.host_address, rule.port, timeout=rule.patience, interface=origin.interface_address
        )
    except DialError as error:
        if "timeout" in error.error and session.services.log_style.shows("ident_timeout"):
            where = sending_host(origin, session.services.log_style)
            session.services.journal.main(f"ident connection to {where} timed out")
        return
    question = f"{origin.host_port} , {origin.interface_port}\r\n".encode()
    try:
        await connection.write(question, rule.patience)
        answer = b""
        while b"\n" not in answer and len(answer) < LONGEST_ANSWER:
            piece = await connection.read(rule.patience)
            if not piece:
                break
            answer += piece
    except DialError:
        return
    finally:
        connection.close()
    found = _ANSWER.match(answer.decode("utf-8", "surrogateescape"))
    if found and (int(found[1]), int(found[2])) == (origin.host_port, origin.interface_port):
        session.update_origin(ident=printable(found[3][:LONGEST]))
