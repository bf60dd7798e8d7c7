"""What files in directories are called: so that a repeat finds its own (Maildir, mailstore), and as `maildir_tag` and `directory_file` say."""

from __future__ import annotations

from copy import copy
from errno import EEXIST, ENOENT
from hashlib import blake2b

import msgspec

from pillarbox.flow.facets.delivering import DeliveryFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.transport.appending.options import MailboxOptions
from pillarbox.flow.transport.appending.place import BadPlace
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import Prepared
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import plain
from pillarbox.mail.message import MemoryBody
from pillarbox.ports.userfiles import FileResult, FileWork, NotWritten, Written

_NOTHING = MemoryBody(b"")


def unique_name(message_id: str, address: str) -> str:
    """`<id>-<hash of the address>`: the same for every attempt at this address. Time and host are added by the port (maildir(5))."""
    digest = blake2b(address.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{message_id}-{digest}"


async def tag_of(options: MailboxOptions, scope: Scope, size: int) -> str:
    """`maildir_tag`, with `$message_size` what is written. Raises ExpansionFailed, ExpansionDeferred."""
    assert options.maildir_tag is not None
    facts = scope.facet(MessageFacts)
    if facts is not None:
        facts = copy(facts)
        facts.size = size
        scope = scope.with_facets({MessageFacts: facts})
    try:
        text = await options.maildir_tag.expand(scope)
    except ForcedFailure:
        return ""
    except ExpansionFailed as error:
        source = options.maildir_tag.source
        reason = f'Expansion of "{source}" (maildir_tag for {options.name} transport) failed: {error}'
        raise BadPlace(reason) from None
    tag = "".join(c for c in plain(text) if c.isprintable() and c.isascii() and c not in "/ ")
    return f":{tag}" if tag[:1].isalnum() else tag


async def name_file(
    options: MailboxOptions, work: FileWork, done: Written, prepared: Prepared, services: TransportServices
) -> FileResult:
    """A file of no format gets its name when its inode is known."""
    facts = prepared.scope.facet(DeliveryFacts) or DeliveryFacts()
    scope = prepared.scope.with_facets({DeliveryFacts: msgspec.structs.replace(facts, inode=done.inode)})
    name, why = "", ""
    try:
        name = plain(await options.directory_file.expand(scope)) if options.directory_file else ""
    except (ExpansionFailed, ExpansionDeferred) as error:
        why = str(error)
    is_good = bool(name) and "/" not in name and "\0" not in name and name not in (".", "..")
    step = msgspec.structs.replace(work, kind="rename" if is_good else "remove", name=name, quota=None)
    result = await services.local_work.deliver(step, _NOTHING, prepared.surroundings.actor)
    if is_good:
        if isinstance(result, Written):
            return msgspec.structs.replace(result, size_before=done.size_before, size=done.size)
        return result
    if not why:
        path = work.path.rstrip("/")
        return NotWritten(
            f"while renaming {path}/temp.{work.unique} as {path}/{name}", ENOENT if name else EEXIST
        )
    source = options.directory_file.source if options.directory_file else ""
    text = f'Expansion of "{source}" (directory_file for {options.name} transport) failed: {why}'
    return NotWritten(text, is_panic=True)
