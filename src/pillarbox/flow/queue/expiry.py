"""A deferral whose retry time is over becomes a failure (Exim 32.8)."""

from __future__ import annotations

import msgspec

from pillarbox.flow.queue import bounce
from pillarbox.flow.queue.retry import RETRY_TIMEOUT
from pillarbox.mail.outcome import Deferred, Failed, RemoteHost
from pillarbox.mail.reply import Reason, Reply
from pillarbox.wire.exim.outcome_line import NOT_CONNECTED


def expired(outcome: Deferred) -> Failed:
    """The failure that a deferral becomes: its own reason, and that time is up."""
    log = f"{outcome.reason.log}: {RETRY_TIMEOUT}" if outcome.reason.log else RETRY_TIMEOUT
    reply = outcome.reply
    if reply is not None:
        reply = msgspec.structs.replace(reply, text=f"{reply.text}: {RETRY_TIMEOUT}")
    host = None if outcome.error in bounce.UNBLAMED else outcome.host
    return given_up(outcome, Reason(log, _public_timeout(outcome)), host, reply)


def given_up(outcome: Deferred, reason: Reason, host: RemoteHost | None, reply: Reply | None) -> Failed:
    """It does not wait any more. `host`: who is blamed."""
    return Failed(
        address=outcome.address,
        recipient=outcome.recipient,
        parents=outcome.parents,
        done_name=outcome.done_name,
        router=outcome.router,
        transport=outcome.transport,
        host=host,
        reply=reply,
        reason=reason,
    )


def _public_timeout(outcome: Deferred) -> str:
    """What the sender reads: what the operating system said of a host is left out."""
    peer = "" if outcome.error in NOT_CONNECTED else outcome.reason.peer
    return f"{peer}: {RETRY_TIMEOUT}" if peer else RETRY_TIMEOUT
