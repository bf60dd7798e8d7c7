"""What is said when a statement decides: the texts for the peer and for the log (Exim 44.12, 44.24).

`message` replaces what a condition had to say to the peer; `log_message` stands in front of what it had to say to the log; without either
the log gets the peer's text. A text whose expansion fails is ignored.
"""

from __future__ import annotations

from pillarbox.flow.check.acl.forbidden import takes_header_lines
from pillarbox.flow.check.acl.header_lines import add_header_lines
from pillarbox.flow.check.acl.state import AclState, Trouble, place_name
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.registry import variable
from pillarbox.language.expand.template import Template
from pillarbox.mail.reply import Reason
from pillarbox.wire.exim.log_line import host_and_ident, printable

WARNINGS_MAX = 1000


@variable("acl_verify_message", Trouble, doc="In `message` and `log_message`: why verification failed.")
def acl_verify_message(trouble: Trouble) -> str:
    return trouble.text


class Dropped(Exception):
    """An ACL that was called says `drop`: when that makes the caller refuse, the connection is closed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.log)
        self.reason = reason


class Discarded(Exception):
    """An ACL that was called says `discard`: an `accept` or `discard` around it does so at once (Exim 44.17)."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.log)
        self.reason = reason


async def describe(state: AclState, *, says_own: bool = True) -> Reason:
    """The texts of the verdict that comes now. Not `says_own`: those of conditions are only for `$acl_verify_message`."""
    own = (state.own if says_own else None) or Reason("")
    peer = await _expanded(state.message, state) or own.peer
    extra = await _expanded(state.log_message, state, is_for_log=True)
    log = f"{extra}: {own.log}" if extra and own.log else extra or own.log or peer
    return Reason(log, peer)


async def warn(state: AclState) -> None:
    """`log_message` to the log; `message` as header lines, the old way."""
    fields = await _expanded(state.message, state)
    text = await _expanded(state.log_message, state, is_for_log=True)
    if text:
        _write_warning(
            f"{host_and_ident(state.connection, state.services.log_style)} Warning: {printable(text)}", state
        )
    if fields and takes_header_lines(state.where):
        add_header_lines(fields, state.headers)
    elif fields and state.where != "not_smtp_start":
        state.panic(
            f'ACL "warn" with "message" setting found in a non-message ({place_name(state.where)}) ACL: '
            "cannot specify header lines here: message ignored"
        )


def _write_warning(line: str, state: AclState) -> None:
    """Once."""
    warned = state.memory.warned
    if line not in warned:
        if len(warned) < WARNINGS_MAX:
            warned.add(line)
        state.log(line, state.services.log.main)


async def _expanded(template: Template | None, state: AclState, *, is_for_log: bool = False) -> str:
    """`$acl_verify_message` is what the condition says to the peer, in `log_message` what it says to the log."""
    if template is None:
        return ""
    scope = state.scope
    if state.own is not None:
        said = state.own.log or state.own.peer if is_for_log else state.own.peer
        scope = scope.with_facet(Trouble, Trouble(said))
    try:
        return await template.expand(scope)
    except ForcedFailure:
        return ""
    except (ExpansionFailed, ExpansionDeferred) as error:
        state.panic(f'failed to expand ACL message "{template.source}": {error}')
        return ""
