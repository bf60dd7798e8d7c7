"""DKIM signatures on what goes to other hosts (`dkim_…` of the smtp transport; Exim 58.1.1, RFC 6376).

A message is signed as it goes over the wire, behind `transport_filter`, once for each pair of domain and selector. What goes wrong is told; the
message goes unsigned then, unless `dkim_strict` says that it has to wait.

One difference from Exim: the simple form of an empty body is a line end (RFC 6376 §3.4.3); Exim digests nothing, which others refuse.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, get_args

import msgspec

from pillarbox.config.builtin import TEXTS
from pillarbox.flow.facets.authentication import DkimSigning
from pillarbox.flow.in_turns import in_turns
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.smtp_options import SmtpOptions
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import is_tainted, like
from pillarbox.language.expand.template import Template
from pillarbox.language.match.items import filled_items
from pillarbox.ports.textfiles import TextFileTrouble
from pillarbox.wire.dkim.canonical import BodyDigest, Digest, Form, fields_of
from pillarbox.wire.dkim.keys import BadKey, private_key
from pillarbox.wire.dkim.signing import SignatureWish, signed

if TYPE_CHECKING:
    from pillarbox.wire.dkim.keys import PrivateKey

Chunks = Callable[[], Iterable[bytes]]
"""A message in LF form, from its beginning each time."""

_DIGESTS: dict[str, Digest] = {name: name for name in get_args(Digest)}
_FORMS: dict[str, Form] = {name: name for name in get_args(Form)}
_NOT_SIGNED = ("", "0", "false")
_NUMBER = re.compile(r"\s*[-+]?[0-9]{1,12}")


class Signed(msgspec.Struct, frozen=True):
    fields: bytes = b""
    """DKIM-Signature fields to go in front of the message."""
    said: str = ""
    """`domain:selector:…` for the log."""


class MustWait(Exception):
    """It could not be signed, and may not go unsigned. `str()` says why, where Exim says why."""


class _Trouble(Exception):
    """Nothing can be signed. `str()` is for the logs."""

    def __init__(self, text: str, shown: str = "") -> None:
        super().__init__(text)
        self.shown = shown
        """What the deferral says, of a message that must wait."""


class Signing:
    """How one transport signs one message."""

    __slots__ = ("_id", "_options", "_services")

    def __init__(self, options: SmtpOptions, message_id: str, services: TransportServices) -> None:
        self._options = options
        self._id = message_id
        self._services = services

    async def sign(self, scope: Scope, chunks: Chunks) -> Signed:
        """`scope` knows the host. Raises MustWait."""
        said: list[str] = []
        try:
            wishes = [wish async for wish in self._wishes(scope, said)]
            fields = await _signatures(wishes, chunks) if wishes else b""
        except _Trouble as trouble:
            for line in str(trouble).splitlines():
                self._services.journal.panic(f"{self._id} {line}")
            if await self._is_strict(scope):
                text = (
                    "DKIM: message could not be signed, and dkim_strict is set. Deferring message delivery."
                )
                self._services.journal.main(f"{self._id} {text}")
                raise MustWait(trouble.shown) from None
            fields = b""
        return Signed(fields, ":".join(item.replace(":", "::") for item in said))

    async def _is_strict(self, scope: Scope) -> bool:
        if self._options.dkim_strict is None:
            return False
        try:
            return (await self._options.dkim_strict.expand(scope)).lower() in ("1", "true")
        except (ExpansionFailed, ExpansionDeferred):
            return False

    async def _wishes(self, scope: Scope, said: list[str]) -> AsyncIterator[tuple[SignatureWish, PrivateKey]]:
        """All signatures that the options ask for, and with which keys. Raises _Trouble."""
        options = self._options
        for raw_domain in await _items(options.dkim_domain, "dkim_domain", scope):
            domain = like(raw_domain.lower(), raw_domain)
            here = scope.with_facet(DkimSigning, DkimSigning(domain))
            for selector in await _items(options.dkim_selector, "dkim_selector", here):
                there = scope.with_facet(DkimSigning, DkimSigning(domain, selector))
                form = await self._form(there)
                names = await _text(options.dkim_sign_headers, "dkim_sign_header", there)
                pem = await self._pem(there)
                if pem is None:
                    continue
                wish = await self._wish(SignatureWish(domain, selector, _names(names), form=form), there)
                said += domain, selector
                yield wish, _key(pem)

    async def _wish(self, wish: SignatureWish, scope: Scope) -> SignatureWish:
        """With what is said beside the names. Raises _Trouble."""
        options = self._options
        digest = await _text(options.dkim_hash, "dkim_hash", scope) or "sha256"
        if digest not in _DIGESTS:
            raise _Trouble(f"DKIM: unrecognised hashname '{digest}'")
        identity = await _text(options.dkim_identity, "dkim_identity", scope)
        created = expires = -1
        if options.dkim_timestamps is not None:
            created = int(self._services.clock.now())
            offset = _offset(await _text(options.dkim_timestamps, "dkim_timestamps", scope))
            expires = created + offset if offset else -1
        return msgspec.structs.replace(
            wish, digest=_DIGESTS[digest], identity=identity, created=created, expires=expires
        )

    async def _form(self, scope: Scope) -> Form:
        if self._options.dkim_canon is None:
            return "relaxed"
        text = await _text(self._options.dkim_canon, "dkim_canon", scope)
        if text not in _FORMS:
            why = f"DKIM: unknown canonicalization method '{text}', defaulting to 'relaxed'."
            self._services.journal.main(f"{self._id} {why}")
        return _FORMS.get(text, "relaxed")

    async def _pem(self, scope: Scope) -> bytes | None:
        """The private key; None: this one is not wanted. Raises _Trouble."""
        text = await _text(self._options.dkim_private_key, "dkim_private_key", scope)
        if text in _NOT_SIGNED:
            return None
        if text.startswith("/"):
            text = await self._file(text)
        return text.encode("utf-8", "surrogateescape")

    async def _file(self, path: str) -> str:
        """Raises _Trouble."""
        cannot_open = f"unable to open file '{path}' for reading"
        if is_tainted(path):
            raise _Trouble(f"Tainted filename '{path}'\n{cannot_open}: Permission denied")
        if self._services.routing is None:
            raise _Trouble(f"{cannot_open}: no files are read here")
        try:
            text = await self._services.routing.files.read(path)
        except TextFileTrouble:
            raise _Trouble(f"unable to read file: {path}") from None
        if text is None:
            raise _Trouble(f"{cannot_open}: No such file or directory")
        return text


async def _items(template: Template | None, name: str, scope: Scope) -> Iterator[str]:
    """Of a list, each as tainted as the whole. Raises _Trouble."""
    text = await _text(template, name, scope)
    return (like(item, text) for item in filled_items(text))


async def _text(template: Template | None, name: str, scope: Scope) -> str:
    """Empty where the option is not set. Raises _Trouble."""
    if template is None:
        return ""
    try:
        return await template.expand(scope)
    except (ExpansionFailed, ExpansionDeferred) as error:
        text = f"failed to expand {name}: {error}"
        raise _Trouble(text, text) from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(filled_items(text or TEXTS["_DKIM_SIGN_HEADERS"]))


def _offset(text: str) -> int:
    """Seconds; 0 where the text does not begin with a number."""
    found = _NUMBER.match(text)
    return int(found[0]) if found else 0


def _key(pem: bytes) -> PrivateKey:
    """Raises _Trouble."""
    try:
        return private_key(pem)
    except BadKey as error:
        why = f"privkey PEM-block import: {error}"
        raise _Trouble(f"signing_init: {why}\nDKIM: signing failed: PRIVKEY", why) from None


async def _signatures(wishes: Sequence[tuple[SignatureWish, PrivateKey]], chunks: Chunks) -> bytes:
    """Raises _Trouble."""
    digests = {(wish.digest, wish.form): BodyDigest(wish.digest, wish.form) for wish, _ in wishes}
    fields = fields_of(await _digest_body(chunks(), list(digests.values())))
    values = {which: digest.value() for which, digest in digests.items()}
    try:
        return b"".join(signed(wish, key, fields, values[wish.digest, wish.form]) for wish, key in wishes)
    except ValueError as error:
        raise _Trouble(f"DKIM: signing failed: {error}") from None


async def _digest_body(chunks: Iterable[bytes], digests: Sequence[BodyDigest]) -> bytes:
    """The header block; the body behind it has gone into the digests."""
    header: list[bytes] = []
    is_body = False
    async for chunk in in_turns(chunks):
        data = chunk
        if not is_body:
            header.append(chunk)
            block, blank_line, data = b"".join(header).partition(b"\n\n")
            if not blank_line:
                continue
            is_body, header = True, [block + b"\n"]
        for digest in digests:
            digest.add(data)
    return b"".join(header)
