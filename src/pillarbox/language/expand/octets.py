"""Text as the bytes that Exim sees, and back: UTF-8, with what is no UTF-8 carried as surrogates."""

from __future__ import annotations


def octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
