"""`${readsocket{where}{request}{options}{eol}{otherwise}}`: what a server says to a request (Exim 11.5)."""

from __future__ import annotations

import re
from typing import cast

import msgspec

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.forbidden import refuse_forbidden
from pillarbox.language.expand.lists import elements
from pillarbox.language.expand.nodes import Node
from pillarbox.language.expand.octets import octets, text_of
from pillarbox.language.expand.operators.times import time_eval
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import item
from pillarbox.language.expand.scope import MAX_OUTPUT, Scope, Services
from pillarbox.language.expand.taint import Tainted, is_tainted
from pillarbox.ports.sockets import Sockets, SocketTrouble, SocketWish

TIMEOUT = 5.0
"""Seconds, when no option says otherwise."""
_INET = re.compile(r"inet:(\[[^\]]*\]|[^:]*):(.*)", re.DOTALL)
_OPTIONS = ("cache", "shutdown", "sni", "tls")


class SocketQuestion(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Equal questions of one expansion are asked each time, as `cache` is off unless an option says otherwise."""

    wish: SocketWish
    timeout: float

    def answer_now(self, services: Services) -> bytes:
        raise BlockingIOError

    async def answer(self, services: Services) -> bytes:
        sockets = cast("Sockets | None", services.facts.get(Sockets))
        if sockets is None:
            raise ExpansionFailed("sockets cannot be read here")
        try:
            answer = await sockets.ask(self.wish, timeout=self.timeout, limit=MAX_OUTPUT)
        except SocketTrouble as error:
            raise ExpansionFailed(str(error)) from None
        return answer


@item("readsocket")
def parse_readsocket(parser: Parser) -> Node:
    at = parser.position
    arguments: list[Node] = []
    while len(arguments) < 5 and (node := parser.optional_braced("readsocket")) is not None:
        arguments.append(node)
    if len(arguments) < 2:
        raise parser.fail("Not enough arguments for 'readsocket' (min is 2)")
    parser.skip_space()
    if parser.peek() != "}":
        raise parser.fail("missing '}' closing readsocket")

    def evaluate(scope: Scope) -> str:
        refuse_forbidden(scope, "readsocket")
        texts = [argument.evaluate(scope) for argument in arguments[:4]]
        question = _question(*texts[:3])
        try:
            answer = text_of(scope.ask(question))
        except ExpansionFailed:
            if len(arguments) < 5:
                raise
            return arguments[4].evaluate(scope)
        return Tainted(answer.replace("\n", texts[3]) if len(texts) == 4 else answer)

    return Node("readsocket", at, evaluate, arguments, is_pure=False)


def _question(where: str, request: str, options: str = "") -> SocketQuestion:
    if is_tainted(where):
        raise ExpansionFailed(f"failed to connect to socket {where}: tainted name")
    timeout, wished = _read_options(options)
    is_tls = wished.get("tls") == "yes" or bool(wished.get("sni"))
    wish = SocketWish(
        request=octets(request),
        shuts_down=wished.get("shutdown", "yes") != "no",
        tls=is_tls,
        server_name=str(wished.get("sni", "")),
    )
    if not where.startswith("inet:"):
        return SocketQuestion(msgspec.structs.replace(wish, path=str(where)), timeout)
    found = _INET.fullmatch(where)
    if found is None:
        raise ExpansionFailed(f"missing port for {where}")
    host, port = found.groups()
    return SocketQuestion(msgspec.structs.replace(wish, host=str(host), port=str(port)), timeout)


def _read_options(text: str) -> tuple[float, dict[str, str]]:
    """The time-out (one that is no interval leaves the usual one) and what follows it."""
    timeout, wished = TIMEOUT, {}
    for place, option in enumerate(elements(str(text))):
        if not place:
            timeout = _seconds(option)
            continue
        name, _, value = option.partition("=")
        if name not in _OPTIONS:
            raise ExpansionFailed(f'unknown option "{name}" for readsocket')
        wished[name] = value
    return timeout, wished


def _seconds(text: str) -> float:
    try:
        return float(time_eval(text)) or TIMEOUT
    except ExpansionFailed:
        return TIMEOUT
