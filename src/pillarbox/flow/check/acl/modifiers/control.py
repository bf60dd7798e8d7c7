"""`control` (Exim 44.13): how the message or the connection is treated from now on.

An unknown control is a mistake when the configuration is loaded, unless it is expanded; mistakes in options show when the line is reached, as
with Exim.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Self

import msgspec

from pillarbox.flow.check.acl.condition import Modifier
from pillarbox.flow.check.acl.forbidden import check_control
from pillarbox.flow.check.acl.state import CUTTHROUGH, AclState, CheckFailed, Unmet, expand_argument
from pillarbox.flow.check.debug_log import DebugLog, DebugMistake, DebugWish, read_debug, topics_of
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.transport.transports.smtp import class_of
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.items.readfile import FileContent
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.reply import Reason
from pillarbox.mail.taint import is_tainted, plain

OF_MESSAGE = (
    CUTTHROUGH,
    "dkim_disable_verify",
    "fakedefer",
    "fakereject",
    "freeze",
    "queue",
    "queue_only",
    "submission",
    "suppress_local_fixups",
    "utf8_downconvert",
)
OF_CONNECTION = (
    "allow_auth_unadvertised",
    "enforce_sync",
    "no_callout_flush",
    "no_delay_flush",
    "no_enforce_sync",
    "no_multiline_responses",
    "no_pipelining",
)
OPPOSITES = {"enforce_sync": "no_enforce_sync", "no_enforce_sync": "enforce_sync"}
OF_ADDRESS = ("caseful_local_part", "caselower_local_part")
NEEDLESS = (
    "dmarc_disable_verify",
    "dmarc_enable_forensic",
    "no_mbox_unspool",
)
"""They leave out, or are about, what is not done here anyway: no DMARC, no copy for scanners."""
DEBUG = "debug"
WELLKNOWN = "wellknown"
"""Its file is what the command is answered with."""
DSCP = "dscp"
KNOWN = (DEBUG, DSCP, WELLKNOWN, *OF_MESSAGE, *OF_CONNECTION, *OF_ADDRESS, *NEEDLESS)
TAKES_OPTIONS = frozenset({*OF_MESSAGE, DEBUG, DSCP, WELLKNOWN} - {"suppress_local_fixups"})
NO_TELL = "no_tell"
_SUBMISSION = re.compile(r"(/sender_retain|/domain=[^/]*|/name=.*)*", re.DOTALL)


class Control(Modifier, modifier="control"):
    __slots__ = ("_name", "_template")

    def __init__(self, template: Template, name: str) -> None:
        self._template = template
        self._name = name
        """Empty: it is to be expanded, or unknown, which is told when the line is reached."""

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        template = Template.parse(text.strip())
        name = text.partition("/")[0].strip()
        return cls(template, name if name in KNOWN else "")

    @property
    def mistake(self) -> tuple[str, str]:
        name = self._template.source.partition("/")[0].strip()
        if self._name or "$" in name:
            return "", ""
        close = get_close_matches(name, KNOWN, 1)
        return f'unknown control "{name}"', f"did you mean {close[0]}?" if close else ""

    @property
    def may_debug(self) -> bool:
        return self._name in ("", DEBUG)

    async def apply(self, state: AclState) -> None:
        text = await expand_argument(self._template, state)
        name, slash, options = text.partition("/")
        name = name.strip()
        if name not in KNOWN or (slash and (name not in TAKES_OPTIONS or text == "freeze/")):
            raise CheckFailed(f'syntax error in "control={text}"')
        name = "queue" if name == "queue_only" else name
        check_control(name, state.where)
        _check_options(name, options, text)
        if name == WELLKNOWN:
            state.memory.connection.wellknown = await _content(options, state)
        elif name == DSCP:
            _mark(options, state)
        elif name == DEBUG:
            _debug(options, state)
        elif name in OF_ADDRESS:
            _change_case(state, is_caseful=name == "caseful_local_part")
        elif name in OF_CONNECTION:
            controls = state.memory.connection.controls
            controls.discard(OPPOSITES.get(name, ""))
            controls.add(name)
        elif name in OF_MESSAGE and (name != CUTTHROUGH or state.where == "rcpt"):
            state.controls[name] = options


def _mark(value: str, state: AclState) -> None:
    """The packets to the client. What is no class of service is passed over, as in Exim."""
    shape, wanted = state.memory.connection.shape, class_of(value.strip())
    if shape is not None and wanted >= 0:
        shape(keepalive=False, dscp=wanted)


def _debug(options: str, state: AclState) -> None:
    """Of the connection. What is wrong with the wish goes to the panic log."""
    memory, wish = state.memory.connection, read_debug(options)
    if wish.is_killed or wish.is_stopped:
        if memory.debug is not None and wish.is_killed:
            memory.debug.remove()
        memory.debug = None
    elif memory.debug is not None:
        if wish.trigger == "now":
            memory.debug.pull()
    elif is_tainted(wish.tag):
        state.panic("tainted tag for debug log filename")
    elif wish.trigger != "now":
        memory.debug = DebugLog(state.services.log, wish, _topics(wish, state))


def _topics(wish: DebugWish, state: AclState) -> frozenset[str]:
    try:
        return topics_of(wish.opts)
    except DebugMistake as mistake:
        state.panic(str(mistake))
        return topics_of("")


async def _content(path: str, state: AclState) -> str:
    """Of the file for WELLKNOWN. Raises Unmet."""
    if not path.startswith("/") or is_tainted(path):
        raise Unmet(Reason(""))
    try:
        return await FileContent(plain(path)).answer(state.scope.services)
    except ExpansionFailed as error:
        why = str(error).rpartition(": ")[2]
        raise Unmet(Reason(f'wellknown: failed to stat file "{path}": {why}')) from None


def _check_options(name: str, options: str, text: str) -> None:
    """Raises CheckFailed."""
    match name:
        case "freeze":
            is_good = options in ("", NO_TELL)
        case "submission":
            is_good = _SUBMISSION.fullmatch(f"/{options}" if options else "") is not None
        case "utf8_downconvert":
            if options and not options.startswith(("0", "1", "-1")):
                raise CheckFailed("bad option value for control=utf8_downconvert")
            return
        case _:
            return
    if not is_good:
        raise CheckFailed(f'syntax error in "control={text}"')


def _change_case(state: AclState, *, is_caseful: bool) -> None:
    """Of the recipient's local part, for the rest of this ACL."""
    if state.recipient is None:
        return
    local_part = state.recipient.original_local_part
    changed = local_part if is_caseful else local_part.lower()
    state.recipient = msgspec.structs.replace(state.recipient, local_part=changed)
    state.scope = state.scope.with_facet(Candidate, state.recipient)
