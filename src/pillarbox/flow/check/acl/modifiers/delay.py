"""`delay` (Exim 44.12): make the client wait before this ACL goes on.

Never longer than `LONGEST`, whatever is configured: clients give up after five minutes (RFC 5321 §4.5.3.2). Replies to earlier commands of a
pipelined group go out first (`no_delay_flush`: they wait too).
"""

from __future__ import annotations

from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import parse_duration
from pillarbox.flow.check.acl.state import AclState, CheckFailed, expand_argument
from pillarbox.flow.check.acl.templated import TemplateModifier

LONGEST = 240.0
"""Seconds."""


class Delay(TemplateModifier, modifier="delay"):
    __slots__ = ()

    async def apply(self, state: AclState) -> None:
        text = (await expand_argument(self._template, state)).strip()
        try:
            seconds = parse_duration(text)
        except OptionError:
            raise CheckFailed(
                f'syntax error in argument for "delay" modifier: "{text}" is not a time value'
            ) from None
        state.tell(f"delay modifier requests {seconds:.0f}-second delay")
        if state.services.skips_delays:
            state.tell("delay skipped in -bh checking mode")
        elif seconds > 0:
            await state.flush("no_delay_flush")
            await state.scope.services.clock.sleep(min(seconds, LONGEST))
