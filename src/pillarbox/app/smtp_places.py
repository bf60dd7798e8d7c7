"""How many SMTP clients there may be at once, in all and from one address (Exim 14, smtp_accept_max and smtp_accept_max_per_host).

Only a figure that depends on the client is expanded for each connection; any other is known beforehand.
"""

from __future__ import annotations

import re
from functools import partial

from pillarbox.app.mta import Mta
from pillarbox.app.serving import Limits
from pillarbox.flow.settings import SmtpLimits
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Origin
from pillarbox.system.connection import SocketConnection
from pillarbox.wire.exim.log_line import interface, sending_host
from pillarbox.wire.exim.log_style import LogStyle

TOO_MANY = b"421 4.3.2 Too many concurrent SMTP connections; please try again later.\r\n"
TOO_MANY_FROM_ONE = (
    b"421 4.3.2 Too many concurrent SMTP connections from this IP address; please try again later.\r\n"
)
_NUMBER = re.compile(r"\s*([0-9]*)")


def set_limits(limits: Limits, mta: Mta) -> None:
    """Those of a configuration."""
    settings = mta.config.main(SmtpLimits)
    limits.most = settings.smtp_accept_max
    limits.refusals = (TOO_MANY, TOO_MANY_FROM_ONE)
    limits.name = partial(_name, mta.accept_services.log_style)
    limits.rule = None
    limits.most_per_address = 0
    template = settings.smtp_accept_max_per_host
    if template is None:
        return
    text = (template.node.constant or "").strip()
    if text.isdigit():
        limits.most_per_address = int(text)
    else:
        limits.rule = partial(_most_from, template, mta)


async def _most_from(template: Template, mta: Mta, connection: SocketConnection) -> int:
    """0: any number. What is wrong with the option is told each time."""
    origin = _origin(connection)
    option = "expansion of smtp_accept_max_per_host"
    try:
        text = await template.expand(Scope({Origin: origin}, mta.expansion))
    except ForcedFailure:
        return 0
    except (ExpansionDeferred, ExpansionFailed) as error:
        mta.world.journal.panic(f"{option} failed for [{origin.host_address}]: {error}")
        return 0
    found = _NUMBER.match(text)
    assert found is not None
    if text[found.end() :].strip():
        mta.world.journal.panic(f"{option} for [{origin.host_address}] contains non-digit: {text}")
    return int(found[1] or 0)


def _origin(connection: SocketConnection) -> Origin:
    address, port = connection.peer_address
    local_address, local_port = connection.local_address
    return Origin(
        host_address=address, host_port=port, interface_address=local_address, interface_port=local_port
    )


def _name(style: LogStyle, connection: SocketConnection) -> str:
    """What the log calls a client that is refused; nothing: it says nothing of it."""
    if not style.shows("connection_reject"):
        return ""
    origin = _origin(connection)
    return f"{sending_host(origin, style)}{interface(origin, style)}"
