"""`control` (Exim 44.13): how the message or the connection is treated from now on.

What else Exim has (`NOT_YET`) is mentioned when the configuration is loaded, never silently ignored.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Self

import msgspec

from pillarbox.flow.check.acl.condition import AclSyntaxError, Modifier
from pillarbox.flow.check.acl.forbidden import check_control
from pillarbox.flow.check.acl.state import AclState, expand_argument
from pillarbox.flow.check.acl.unsupported import NotYet
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists

OF_MESSAGE = (
    "fakedefer",
    "fakereject",
    "freeze",
    "queue",
    "queue_only",
    "submission",
    "suppress_local_fixups",
)
OF_CONNECTION = (
    "allow_auth_unadvertised",
    "enforce_sync",
    "no_enforce_sync",
    "no_multiline_responses",
    "no_pipelining",
)
OPPOSITES = {"enforce_sync": "no_enforce_sync", "no_enforce_sync": "enforce_sync"}
OF_ADDRESS = ("caseful_local_part", "caselower_local_part")
NEEDLESS = (
    "dkim_disable_verify",
    "dmarc_disable_verify",
    "dmarc_enable_forensic",
    "no_callout_flush",
    "no_delay_flush",
    "no_mbox_unspool",
)
"""They leave out, or are about, what is not done here anyway: nothing is verified by DKIM, nothing scanned."""
NOT_YET = (
    "cutthrough_delivery",
    "debug",
    "dscp",
    "utf8_downconvert",
    "wellknown",
)
KNOWN = (*OF_MESSAGE, *OF_CONNECTION, *OF_ADDRESS, *NEEDLESS)


class Control(Modifier, modifier="control"):
    __slots__ = ("_name", "_options")

    def __init__(self, name: str, options: Template) -> None:
        self._name = name
        self._options = options

    @classmethod
    def parse(cls, text: str, named: NamedLists) -> Self:
        name, _, options = text.strip().partition("/")
        name = name.strip()
        if name in NOT_YET:
            raise NotYet(f"control = {name}", "noted")
        if name not in KNOWN:
            close = get_close_matches(name, [*KNOWN, *NOT_YET], 1)
            raise AclSyntaxError(f'unknown control "{name}"', f"did you mean {close[0]}?" if close else "")
        return cls(name, Template.parse(options))

    async def apply(self, state: AclState) -> None:
        name = "queue" if self._name == "queue_only" else self._name
        check_control(name, state.where)
        if name in OF_ADDRESS:
            _change_case(state, is_caseful=name == "caseful_local_part")
        elif name in OF_CONNECTION:
            controls = state.memory.connection.controls
            controls.discard(OPPOSITES.get(name, ""))
            controls.add(name)
        elif name in OF_MESSAGE:
            state.controls[name] = await expand_argument(self._options, state)


def _change_case(state: AclState, *, is_caseful: bool) -> None:
    """Of the recipient's local part, for the rest of this ACL."""
    if state.recipient is None:
        return
    local_part = state.recipient.original_local_part
    changed = local_part if is_caseful else local_part.lower()
    state.recipient = msgspec.structs.replace(state.recipient, local_part=changed)
    state.scope = state.scope.with_facet(Candidate, state.recipient)
