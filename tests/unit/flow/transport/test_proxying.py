"""socks_proxy: the options, the order, and the conversation with the proxy (RFC 1928, RFC 1929)."""

from collections import Counter
from random import Random

import pytest

from pillarbox.flow.transport.attempt.proxying import Proxy, connect_by, in_order, parse_proxies
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.ports.network import DialError


class Wire:
    """A connection to a proxy that says these things, one for each read."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.written = b""
        self.is_closed = False

    async def read(self, timeout: float) -> bytes:
        return self.answers.pop(0) if self.answers else b""

    def unread(self, data: bytes) -> None:
        if data:
            self.answers.insert(0, data)

    async def write(self, data: bytes, timeout: float) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True


class Proxies:
    def __init__(self, wires: dict[str, Wire]) -> None:
        self.wires = wires

    async def connect(self, address: str, port: int, *, interface: str, **_: object) -> Wire:
        self.interface = interface
        if address not in self.wires:
            raise DialError("refused", "Connection refused")
        return self.wires[address]


HOST = Target("mx.example", "198.51.100.7", 25, interface="192.0.2.9")
GRANTED = b"\5\0\0\1" + bytes(6)


def test_options_of_each_proxy():
    first, second = parse_proxies(
        "192.0.2.1 port=99 auth=name name=me pass=secret : 192.0.2.2 pri=3 weight=2"
    )
    assert (first.port, first.has_login, first.login, first.password) == (99, True, "me", "secret")
    assert (second.port, second.priority, second.weight) == (1080, 3, 2)
    assert "secret" not in repr(first)


@pytest.mark.parametrize("text", ["192.0.2.1 colour=red", "192.0.2.1 auth=maybe"])
def test_unknown_options_are_refused(text):
    with pytest.raises(ValueError, match="bad option"):
        parse_proxies(text)


def test_priority_comes_before_weight_and_weight_before_chance():
    light, heavy, high = Proxy("light"), Proxy("heavy", weight=50), Proxy("high", priority=9)
    orders = [in_order([light, heavy, high], Random(seed)) for seed in range(200)]
    assert all(order[0] is high for order in orders)
    assert Counter(order[1].address for order in orders)["heavy"] > 180


async def test_the_hosts_first_words_may_come_with_the_answer():
    wire = Wire(b"\5", b"\0", GRANTED + b"220 hello\r\n")
    found, proxy = await connect_by([Proxy("p")], HOST, Proxies({"p": wire}), None, None)
    assert found is wire and proxy.address == "p"
    assert wire.written == b"\5\1\0" + b"\5\1\0\1\xc6\x33\x64\x07\0\x19"
    assert await wire.read(1) == b"220 hello\r\n"


async def test_logging_in_by_name():
    wire = Wire(b"\5\2", b"\1\0", GRANTED)
    proxy = Proxy("p", login="me", password="secret", has_login=True)
    await connect_by([proxy], HOST, Proxies({"p": wire}), None, None)
    assert wire.written.startswith(b"\5\1\2" + b"\1\2me\6secret")


async def test_the_next_proxy_is_asked_and_the_log_has_who_was_down():
    wire, lines = Wire(b"\5\0", GRANTED), []
    proxies = [Proxy("down", priority=2), Proxy("p")]
    await connect_by(proxies, HOST, Proxies({"p": wire}), None, lines.append)
    assert lines == ["socks_sock_connect: Connection refused"]


@pytest.mark.parametrize(
    "answers", [(b"\5\0", b"\5\5\0\1"), (b"\5\xff",), (b"HTTP/1.0",), (b"",), (b"\5\0", b"\5\0\0\3")]
)
async def test_a_proxy_that_will_not_is_a_connection_that_failed(answers):
    wire = Wire(*answers)
    with pytest.raises(DialError):
        await connect_by([Proxy("p")], HOST, Proxies({"p": wire}), None, None)
    assert wire.is_closed


async def test_the_proxy_is_asked_from_the_same_address_as_the_host_would_be():
    proxies = Proxies({"p": Wire(b"\5\0" + GRANTED)})
    await connect_by([Proxy("p")], HOST, proxies, None, None)
    assert proxies.interface == "192.0.2.9"
