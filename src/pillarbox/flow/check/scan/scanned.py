"""A message as scanners get it: like an mbox entry, with the envelope in `X-Envelope-` lines (Exim chapter 45).

The whole of it is in memory while it is scanned; `message_size_limit` bounds it.
"""

from __future__ import annotations

import time

from pillarbox.flow.check.acl.state import AclState, CheckFailed, place_name

_CONTENT = frozenset({"data", "data_prdr", "not_smtp"})


def whole_message(state: AclState, condition: str) -> bytes:
    """With LF line ends. Raises CheckFailed where there is no message to look at."""
    message = state.facts.message
    if message is None or state.where not in _CONTENT:
        raise CheckFailed(f"cannot test {condition} condition in {place_name(state.where)} ACL")
    return b"".join((message.headers, b"\n", *message.body.chunks()))


def mailbox_form(state: AclState, condition: str) -> bytes:
    """Raises CheckFailed."""
    whole = whole_message(state, condition)
    date = time.strftime("%a %b %d %H:%M:%S %Y", time.localtime(state.scope.services.clock.now()))
    lines = [f"From MAILER-DAEMON {date}"]
    if state.facts.sender:
        lines.append(f"X-Envelope-From: <{state.facts.sender}>")
    if state.facts.recipients:
        lines.append(f"X-Envelope-To: {', '.join(each.address for each in state.facts.recipients)}")
    return "\n".join([*lines, ""]).encode("utf-8", "surrogateescape") + whole
