"""What sessions tell the main `event_action` (../main_action.py, Exim chapter 61).

auth:fail             the reply       an answer stands in the log in place of the usual line
smtp:fail:syntax      what is wrong   also where `log_selector` leaves it out of the log
smtp:fail:protocol
tls:cert              a depth         an answer: the certificate is not believed
tls:fail:connect      what went wrong
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

_NOTHING: Mapping[type, object] = {}


async def tell(session: Session, event: str, data: str, facets: Mapping[type, object] = _NOTHING) -> str:
    """What the action says to it; empty where there is none."""
    action = session.services.main_action
    if action is None:
        return ""
    return await action.tell(event, data, facets=facets, scope=session.new_scope())
