"""`decode = default | name | /directory | /path` (Exim 45.4): the part's content in a file, `$mime_decoded_filename`.

Names from outside are refused, and so is a name with a slash; files outside the spool's `scan/` are not removed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from pillarbox.flow.check.acl.state import AclState, CheckDeferred, CheckFailed, expand_argument, place_name
from pillarbox.flow.check.acl.templated import TemplateCondition
from pillarbox.flow.check.scan.decoding import Decoded, decode
from pillarbox.flow.check.scan.parts import PartInHand
from pillarbox.flow.facets.content import MimeFacts
from pillarbox.mail.reply import Reason
from pillarbox.mail.taint import is_tainted
from pillarbox.ports.scan_files import ScanFiles


class DecodeCondition(TemplateCondition, condition="decode"):
    __slots__ = ()

    async def holds(self, state: AclState) -> bool:
        text = (await expand_argument(self._template, state)).strip()
        part = part_in_hand(state, "decode")
        if text.lower() in ("", "0", "false"):
            return False
        if is_tainted(text):
            raise CheckFailed(f"Tainted name for decode: '{text}'")
        decoded = await decode_part(part)
        try:
            path = await _written(text, decoded.data, state)
        except OSError as error:
            raise CheckDeferred(Reason(f"decode: {error.strerror}")) from None
        part.facts = msgspec.structs.replace(
            part.facts,
            anomaly_level=decoded.anomaly_level,
            anomaly_text=decoded.anomaly_text,
            content_size=(len(decoded.data) + 1023) // 1024,
            decoded_filename=path,
        )
        state.scope = state.scope.with_facet(MimeFacts, part.facts)
        return True


def part_in_hand(state: AclState, condition: str) -> PartInHand:
    """Raises CheckFailed outside the MIME ACL."""
    part = state.scope.facet(PartInHand)
    if part is None:
        raise CheckFailed(f"cannot test {condition} condition in {place_name(state.where)} ACL")
    return part


async def decode_part(part: PartInHand) -> Decoded:
    return await asyncio.to_thread(decode, part.body, part.facts.content_transfer_encoding)


async def _written(text: str, data: bytes, state: AclState) -> str:
    """The path. Raises OSError, CheckFailed."""
    files = state.scope.facet(ScanFiles)  # type: ignore[type-abstract]
    assert files is not None
    name = text
    if text == "default" or text.startswith("/"):
        number = state.memory.scans.get("decoded", 0)
        name = f"{state.facts.id}-{number:05d}"
        if text == "default" or await asyncio.to_thread(Path(text).is_dir):
            state.memory.scans["decoded"] = number + 1
    if text.startswith("/"):
        return await asyncio.to_thread(_write_elsewhere, Path(text), name, data)
    if "/" in name or name in (".", ".."):
        raise CheckFailed(f"bad file name for decode: '{text}'")
    state.memory.scans["files"] = True
    return await files.keep(state.facts.id, name, data)


def _write_elsewhere(path: Path, name: str, data: bytes) -> str:
    target = path / name if path.is_dir() else path
    target.write_bytes(data)
    return str(target)
