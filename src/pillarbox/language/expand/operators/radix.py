"""`base62`, `base32` and back: numbers in other bases (Exim 11.6). Numbers are 64 bits wide."""

from __future__ import annotations

import re

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.registry import operator
from pillarbox.language.printing import quoted

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?)([0-9]+)", re.ASCII)
_LARGEST = 2**64 - 1
_MAX_DIGITS = 1000


@operator("base62")
def base62(text: str) -> str:
    """Six digits, as in message ids: what does not fit is cut off at the front."""
    return _in_base(_decimal(text, "base62"), _BASE62).rjust(6, "0")[-6:]


@operator("base32")
def base32(text: str) -> str:
    """Empty for 0."""
    return _in_base(_decimal(text, "base32"), _BASE32)


@operator("base62d")
def base62_decode(text: str) -> str:
    return _from_base(text, _BASE62, "base62d", "base 62")


@operator("base32d")
def base32_decode(text: str) -> str:
    return _from_base(text, _BASE32, "base32d", "base 32")


def _decimal(text: str, name: str) -> int:
    """With a sign or none; a negative number counts down from the largest."""
    if not text:
        return 0
    if not (found := _NUMBER.fullmatch(text)):
        shown = quoted(text)
        raise ExpansionFailed(f'argument for {name} operator is "{shown}", which is not a decimal number')
    number = min(int(found.group(2)[:_MAX_DIGITS]), _LARGEST)
    return -number & _LARGEST if found.group(1) == "-" and number < _LARGEST else number


def _in_base(number: int, digits: str) -> str:
    base, shown = len(digits), ""
    while number:
        number, digit = divmod(number, base)
        shown = digits[digit] + shown
    return shown


def _from_base(text: str, digits: str, name: str, kind: str) -> str:
    """With a sign, as of 64 bits."""
    number, base = 0, len(digits)
    for character in text:
        digit = digits.find(character)
        if digit < 0:
            raise ExpansionFailed(
                f'argument for {name} operator is "{quoted(text)}", which is not a {kind} number'
            )
        number = (number * base + digit) & _LARGEST
    return str(number if number <= _LARGEST // 2 else number - _LARGEST - 1)
