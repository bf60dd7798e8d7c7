"""One message's FETCH response: what the index and its cache know at once, then the message's own bytes where asked for.

Derivations (ENVELOPE, BODYSTRUCTURE) are made once in a message's life and kept by the store (`put_cached`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pillarbox.mail.decoding import UnknownEncoding, decode_transfer, is_known_encoding
from pillarbox.mail.mime import Part, scan
from pillarbox.mailbox.imap.output import Output
from pillarbox.mailbox.imap.selected import Selected
from pillarbox.mailbox.sections import find_part, header_end, locate, select_fields
from pillarbox.ports.mailstore import Entry
from pillarbox.wire.imap.body_structure import format_structure
from pillarbox.wire.imap.dates import format_date_time
from pillarbox.wire.imap.envelope import format_envelope
from pillarbox.wire.imap.fetch_items import Binary, BinarySize, FetchItem, Plain, Text
from pillarbox.wire.imap.sections import Partial, Section
from pillarbox.wire.imap.writing import NIL

Quick = Callable[[Entry], "bytes | None"]
"""Text of an item from the index; None when the message must be read first."""
_LARGE = 1_048_576
_LONGEST_HEADER = 262_144
"""Of a header block, what ENVELOPE is made from."""
_TURN = 262_144
"""Bytes read before other connections get their turn."""
_DERIVED = {"ENVELOPE": "envelope", "BODYSTRUCTURE": "structure", "BODY": "body"}
_KEPT = frozenset(["envelope", "structure"])
"""Kinds worth a place in the cache; BODY without extensions is hardly asked for."""


class Rendering:
    """The items of one FETCH, made ready to be written for many messages."""

    __slots__ = (
        "_bytes_read",
        "_content_items",
        "_data",
        "_fresh",
        "_names",
        "_quick",
        "_selected",
        "_structure",
    )

    def __init__(self, selected: Selected, items: Sequence[FetchItem]) -> None:
        self._selected = selected
        self._fresh: dict[str, bytes] = {}
        self._names = [item.name for item in items if isinstance(item, Plain)]
        self._quick = [self._quick_item(name) for name in self._names]
        self._content_items = [item for item in items if not isinstance(item, Plain)]
        self._data = b""
        self._bytes_read = 0
        self._structure: Part | None = None

    async def write(self, number: int, entry: Entry, output: Output, extra: Sequence[Quick] = ()) -> bool:
        """One FETCH response. False: the message has gone and nothing was written. Raises UnknownEncoding before writing."""
        pieces = [quick(entry) for quick in self._quick]
        if self._content_items or None in pieces:
            data = await self._read(entry.uid)
            if data is None:
                return False
            self._data, self._structure = data, None
            if None in pieces:
                await self._derive(entry)
                pieces = [quick(entry) for quick in self._quick]
                self._fresh.clear()
        pieces += [quick(entry) for quick in extra]
        line = b"* %d FETCH (%b" % (number, b" ".join(piece for piece in pieces if piece is not None))
        if self._content_items:
            await self._write_content(line, bool(pieces), output)
            self._data = b""
        else:
            output.put(line + b")\r\n")
        return True

    def _quick_item(self, name: str) -> Quick:
        selected = self._selected
        match name:
            case "UID":
                return lambda entry: b"UID %d" % entry.uid
            case "FLAGS":
                return lambda entry: b"FLAGS " + selected.flags(entry)
            case "INTERNALDATE":
                return lambda entry: b"INTERNALDATE " + format_date_time(entry.internal_date)
            case "RFC822.SIZE":
                return lambda entry: b"RFC822.SIZE %d" % entry.size
            case "MODSEQ":
                return lambda entry: b"MODSEQ (%d)" % entry.modseq
            case "SAVEDATE":
                return lambda entry: b"SAVEDATE " + format_date_time(entry.saved_at)
        return self._derived_item(name)

    def _derived_item(self, name: str) -> Quick:
        cached, fresh, kind = self._selected.mailbox.cached, self._fresh, _DERIVED[name]
        label = name.encode("ascii") + b" "

        def derived(entry: Entry) -> bytes | None:
            value = fresh.get(kind) or (cached(entry.uid, kind) if kind in _KEPT else None)
            return None if value is None else label + value

        return derived

    async def _read(self, uid: int) -> bytes | None:
        """The message. One that is fetched in pieces is kept from piece to piece."""
        kept = self._selected.content
        if kept is not None and kept[0] == uid:
            return kept[1]
        if self._bytes_read > _TURN:
            self._bytes_read = 0
            await asyncio.sleep(0)
        data = await self._selected.mailbox.content(uid)
        self._bytes_read += len(data) if data is not None else 0
        is_piecewise = any(isinstance(item, (Text, Binary)) and item.partial for item in self._content_items)
        self._selected.content = (uid, data) if is_piecewise and data is not None else None
        return data

    async def _scan(self) -> Part:
        if self._structure is None:
            data = self._data
            self._structure = await asyncio.to_thread(scan, data) if len(data) > _LARGE else scan(data)
        return self._structure

    async def _derive(self, entry: Entry) -> None:
        """Make what the cache lacks, and give it to the cache."""
        mailbox, data = self._selected.mailbox, self._data
        for name in self._names:
            kind = _DERIVED.get(name)
            if kind is None or (kind in _KEPT and mailbox.cached(entry.uid, kind) is not None):
                continue
            if kind == "envelope":
                value = format_envelope(data[: min(header_end(data), _LONGEST_HEADER)])
            else:
                value = format_structure(data, await self._scan(), is_extended=kind == "structure")
            self._fresh[kind] = value
            if kind in _KEPT:
                mailbox.put_cached(entry.uid, kind, value)

    async def _write_content(self, line: bytes, needs_space: bool, output: Output) -> None:
        for item in self._content_items:
            await self._check(item)
        for item in self._content_items:  # one at a time: a decoded part may be large
            label, data, (start, end) = await self._item(item)
            line += (b" " if needs_space else b"") + label
            needs_space = True
            if data is not None:
                output.put(line)
                await output.put_slice(data, start, end)
                line = b""
        output.put(line + b")\r\n")

    async def _check(self, item: FetchItem) -> None:
        """Raises UnknownEncoding while a NO is still possible."""
        if isinstance(item, (Binary, BinarySize)) and item.section.part:
            part = find_part(await self._scan(), item.section.part)
            if part is not None and not is_known_encoding(part.encoding):
                raise UnknownEncoding(part.encoding.decode("ascii", "replace"))

    async def _item(self, item: FetchItem) -> tuple[bytes, bytes | None, tuple[int, int]]:
        """(text up to the literal's bytes, where the bytes are, which of them)."""
        match item:
            case Text(label=label, section=section, partial=partial):
                return self._literal(label, *await self._section(section), partial)
            case Binary(label=label, section=section, partial=partial):
                return self._literal(label, *await self._decoded(section), partial)
            case BinarySize(label=label, section=section):
                data, span = await self._decoded(section)
                size = 0 if data is None else span[1] - span[0]
                return label + b" %d" % size, None, (0, 0)
            case Plain():
                raise AssertionError("plain items are written from the index")

    def _literal(
        self, label: bytes, data: bytes | None, span: tuple[int, int], partial: Partial | None
    ) -> tuple[bytes, bytes | None, tuple[int, int]]:
        if data is None:
            return label + b" " + NIL, None, (0, 0)
        start, end = span
        if partial is not None:
            start = min(start + partial.offset, end)
            if start + partial.size >= end:
                self._selected.content = None  # the last piece: nobody will ask for another
            end = min(start + partial.size, end)
        if start == end:
            return label + b' ""', None, (0, 0)
        sign = b"~" if label.startswith(b"BINARY") and data.find(b"\0", start, end) >= 0 else b""
        return label + b" %b{%d}\r\n" % (sign, end - start), data, (start, end)

    async def _section(self, section: Section) -> tuple[bytes | None, tuple[int, int]]:
        data = self._data
        span = await self._locate(section)
        if span is None:
            return None, (0, 0)
        if section.text.startswith("HEADER.FIELDS"):
            header, is_not = data[span[0] : span[1]], section.text == "HEADER.FIELDS.NOT"
            if len(header) > _LARGE:
                fields = await asyncio.to_thread(select_fields, header, section.fields, inverted=is_not)
            else:
                fields = select_fields(header, section.fields, inverted=is_not)
            return fields, (0, len(fields))
        return data, span

    async def _locate(self, section: Section) -> tuple[int, int] | None:
        if section.part:
            text = "HEADER" if section.text.startswith("HEADER") else section.text
            return locate(await self._scan(), section.part, text)
        if not section.text:
            return 0, len(self._data)
        middle = header_end(self._data)
        return (middle, len(self._data)) if section.text == "TEXT" else (0, middle)

    async def _decoded(self, section: Section) -> tuple[bytes | None, tuple[int, int]]:
        """A part with its transfer encoding taken off."""
        if not section.part:
            return self._data, (0, len(self._data))
        part = find_part(await self._scan(), section.part)
        if part is None:
            return None, (0, 0)
        body = self._data[part.body_start : part.end]
        if len(body) > _LARGE:
            decoded = await asyncio.to_thread(decode_transfer, body, part.encoding)
        else:
            decoded = decode_transfer(body, part.encoding)
        return decoded, (0, len(decoded))
