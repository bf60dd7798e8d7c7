"""The waiting message that `-Mset ID -be` loads: expansions see it as a delivery would (Exim 5.2)."""

from __future__ import annotations

import time

from pillarbox.app.asking.message import Test
from pillarbox.backends.spool.reading import QueueReader
from pillarbox.config.model import Config
from pillarbox.flow.facets.delivering import ArrivalFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.settings import Files
from pillarbox.mail.envelope import Origin
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.wire.exim.spool_header import SpoolFormatError, decode_header


def load_queued(message_id: str, config: Config) -> Test | None:
    """None: it is not there, or its files are no good. Raises PermissionError."""
    reader = QueueReader(config.main(Files).spool_directory)
    header_file, data_file = reader.read_part(message_id, "headers"), reader.read_part(message_id, "body")
    if header_file is None or data_file is None:
        return None
    try:
        header = decode_header(header_file, f"{message_id}-H")
    except SpoolFormatError:
        return None
    envelope = header.envelope
    message = Message(header.headers, MemoryBody(data_file.partition(b"\n")[2]))
    uid, gid = _originator(header_file)
    arrival = ArrivalFacts(
        recipients=tuple(recipient.address for recipient in envelope.recipients),
        originator_uid=uid,
        originator_gid=gid,
    )
    facts = MessageFacts.of(envelope, message, time.time())
    return Test({Origin: envelope.origin, MessageFacts: facts, ArrivalFacts: arrival})


def _originator(header_file: bytes) -> tuple[int, int]:
    """The second line is `login uid gid`; the login may have blanks."""
    words = header_file.split(b"\n", 2)[1].split()
    return int(words[-2]), int(words[-1])
