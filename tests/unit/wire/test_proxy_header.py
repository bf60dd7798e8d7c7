"""PROXY headers, versions 1 and 2, whole and in pieces (HAProxy's proxy-protocol.txt)."""

from __future__ import annotations

import pytest

from pillarbox.wire.proxy_header import BadProxyHeader, Proxied, read_proxy_header

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V4 = bytes([192, 0, 2, 7, 198, 51, 100, 9]) + (4711).to_bytes(2, "big") + (25).to_bytes(2, "big")
CLIENT = Proxied("192.0.2.7", 4711, "198.51.100.9", 25)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"PROXY TCP4 192.0.2.7 198.51.100.9 4711 25\r\n", CLIENT),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 25\r\n", Proxied("2001:db8::7", 4711, "2001:db8::1", 25)),
        (b"PROXY UNKNOWN and so on\r\n", Proxied()),
        (SIGNATURE + b"\x21\x11\0\x0c" + V4, CLIENT),
        (SIGNATURE + b"\x21\x11\0\x10" + V4 + b"\4\0\1a", CLIENT),
        (SIGNATURE + b"\x20\0\0\0", Proxied(is_own=True)),
    ],
)
def test_read(data: bytes, wanted: Proxied) -> None:
    for cut in range(len(data)):
        assert read_proxy_header(data[:cut]) is None
    assert read_proxy_header(data + b"EHLO a\r\n") == (wanted, len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"EHLO a\r\n",
        b"PROXY TCP4 192.0.2.777 198.51.100.9 4711 25\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.9 65536 25\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.9 0 25\r\n",
        b"PROXY TCP4 192.0.2.7\r\n",
        b"PROXY UDP4 192.0.2.7 198.51.100.9 4711 25\r\n",
        b"PROXY TCP4 " + b"1" * 200,
        SIGNATURE + b"\x31\x11\0\x0c" + V4,
        SIGNATURE + b"\x21\x31\0\0",
        SIGNATURE + b"\x21\x11\0\4abcd",
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_bad(data: bytes) -> None:
    with pytest.raises(BadProxyHeader):
        read_proxy_header(data)
