"""Conditions that check passwords: `crypteq`, `pam`, `saslauthd`, `ldapauth`, and why there is no `radius` (Exim 11.7)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import cast

import msgspec

from pillarbox.language.expand.conditions.arguments import grouped_arguments
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.lists import elements
from pillarbox.language.expand.lookup import LookupQuestion
from pillarbox.language.expand.nodes import Condition
from pillarbox.language.expand.octets import octets
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import condition
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.ports.passwords import Passwords, PasswordTrouble

_SCHEME = re.compile(r"\{(md5|sha1|crypt|crypt16)\}(.*)", re.IGNORECASE | re.DOTALL)
_LENGTHS = {"md5": (24, 32), "sha1": (28, 40)}
"""Of a digest in base64 and in hexadecimal."""


class CryptQuestion(msgspec.Struct, frozen=True, gc=False, tag=True):
    password: bytes
    setting: bytes

    def answer_now(self, services: Services) -> bytes | None:
        raise BlockingIOError

    async def answer(self, services: Services) -> bytes | None:
        try:
            return await _passwords(services).crypt(self.password, self.setting)
        except PasswordTrouble as error:
            raise ExpansionFailed(str(error)) from None


class LoginQuestion(msgspec.Struct, frozen=True, gc=False, tag=True):
    """`kind`: `pam` or `saslauthd`; `words`: its arguments."""

    kind: str
    words: tuple[str, ...]

    def answer_now(self, services: Services) -> bool:
        raise BlockingIOError

    async def answer(self, services: Services) -> bool:
        passwords = _passwords(services)
        try:
            if self.kind == "pam":
                return await passwords.pam(self.words[0], self.words[1:])
            user, password, service, realm = (*self.words, "", "")[:4]
            return await passwords.saslauthd(user, password, service, realm)
        except PasswordTrouble as error:
            raise ExpansionFailed(str(error)) from None


def _passwords(services: Services) -> Passwords:
    passwords = cast("Passwords | None", services.facts.get(Passwords))
    if passwords is None:
        raise ExpansionFailed("passwords cannot be checked here")
    return passwords


@condition("crypteq")
def parse_crypteq(parser: Parser, name: str) -> Condition:
    at = parser.position
    clear, crypted = parser.condition_arguments(name, 2)

    def test(scope: Scope) -> bool:
        return _matches(octets(clear.evaluate(scope)), str(crypted.evaluate(scope)), scope)

    return Condition(name, at, test, [clear, crypted], is_pure=False)


def _matches(clear: bytes, crypted: str, scope: Scope) -> bool:
    found = _SCHEME.fullmatch(crypted)
    if found is None and crypted.startswith("{"):
        raise ExpansionFailed(f'unknown encryption mechanism in "{crypted}"')
    scheme, stored = (found.group(1).lower(), found.group(2)) if found else ("crypt", crypted)
    if scheme in _LENGTHS:
        return _is_digest(scheme, clear, octets(stored))
    if len(stored) < 2:
        return False
    if scheme == "crypt16":
        return _is_crypt16(clear, octets(stored), scope)
    answer = scope.ask(CryptQuestion(clear, octets(stored)))
    return answer is not None and hmac.compare_digest(answer, octets(stored))


def _is_digest(scheme: str, clear: bytes, stored: bytes) -> bool:
    digest = hashlib.new(scheme, clear, usedforsecurity=False).digest()
    in_base64, in_hex = _LENGTHS[scheme]
    if len(stored) == in_base64:
        return hmac.compare_digest(base64.b64encode(digest), stored)
    return len(stored) == in_hex and hmac.compare_digest(digest.hex().encode(), stored.lower())


def _is_crypt16(clear: bytes, stored: bytes, scope: Scope) -> bool:
    """Exim's own: the first eight characters by crypt(), and what is behind them by another with the same salt."""
    first = scope.ask(CryptQuestion(clear[:8], stored[:2]))
    if first is None:
        return False
    if len(clear) <= 8:
        return hmac.compare_digest(first, stored)
    second = scope.ask(CryptQuestion(clear[8:16], stored[:2]))
    return second is not None and hmac.compare_digest(first + second[2:], stored)


@condition("pam")
def parse_pam(parser: Parser, name: str) -> Condition:
    """`pam{user : password}`; without a user it is false."""
    at = parser.position
    node = parser.braced(name)

    def test(scope: Scope) -> bool:
        words = tuple(str(word) for word in elements(str(node.evaluate(scope))))
        return bool(words) and scope.ask(LoginQuestion("pam", words))

    return Condition(name, at, test, [node], is_pure=False)


@condition("saslauthd")
def parse_saslauthd(parser: Parser, name: str) -> Condition:
    at = parser.position
    arguments = grouped_arguments(parser, name, 2, 4)

    def test(scope: Scope) -> bool:
        words = tuple(str(argument.evaluate(scope)) for argument in arguments)
        return scope.ask(LoginQuestion("saslauthd", words))

    return Condition(name, at, test, arguments, is_pure=False)


@condition("ldapauth")
def parse_ldapauth(parser: Parser, name: str) -> Condition:
    at = parser.position
    node = parser.braced(name)

    def test(scope: Scope) -> bool:
        return scope.ask(LookupQuestion("ldapauth", node.evaluate(scope))) is not None

    return Condition(name, at, test, [node], is_pure=False)


@condition("radius")
def parse_radius(parser: Parser, name: str) -> Condition:
    raise parser.fail('support for "radius" not compiled')
