"""`control` (Exim 44.13): how the message or the connection is treated from now on.

What is acted on is in `KNOWN`; what else Exim has is mentioned when the configuration is loaded, never silently ignored.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Self

from pillarbox.flow.check.acl.condition import AclSyntaxError, Modifier
from pillarbox.flow.check.acl.forbidden import check_control
from pillarbox.flow.check.acl.state import AclState, expand_argument
from pillarbox.flow.check.acl.unsupported import NotYet
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists

KNOWN = ("submission", "freeze", "queue", "queue_only", "fakereject", "fakedefer")
NOT_YET = (
    "allow_auth_unadvertised",
    "caseful_local_part",
    "caselower_local_part",
    "cutthrough_delivery",
    "debug",
    "dkim_disable_verify",
    "dmarc_disable_verify",
    "dmarc_enable_forensic",
    "dscp",
    "enforce_sync",
    "no_enforce_sync",
    "no_callout_flush",
    "no_delay_flush",
    "no_mbox_unspool",
    "no_multiline_responses",
    "no_pipelining",
    "suppress_local_fixups",
    "utf8_downconvert",
    "wellknown",
)


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
        check_control(self._name, state.where)
        state.controls[self._name] = await expand_argument(self._options, state)
