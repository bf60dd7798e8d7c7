"""Too many connections or too much load: places kept for `smtp_reserve_hosts` (Exim 14, smtp_accept_reserve and smtp_load_reserve)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pillarbox.flow.accept.membership import is_in
from pillarbox.flow.accept.waiting import machine_load
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.match.hosts import HostList
from pillarbox.mail.reply import Reply

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session


class Reserve(msgspec.Struct, frozen=True, kw_only=True):
    """`most`: `smtp_accept_max`; `kept`: of these; `load`: None: any."""

    most: int = 0
    kept: int = 0
    load: float | None = None
    hosts: HostList | None = None


async def refusal(session: Session, reserve: Reserve) -> Reply | None:
    """What a client hears that there is no place for; it is logged here."""
    is_full = bool(reserve.most) and session.connections > reserve.most - reserve.kept
    load = machine_load() if reserve.load is not None else 0.0
    is_loaded = reserve.load is not None and load > reserve.load
    if not is_full and not is_loaded:
        return None
    is_kept_for, why = await _is_kept_for(session, reserve.hosts)
    if is_kept_for:
        return None
    if is_full:
        counted = f"connected={session.connections - 1} max={reserve.most} reserve={reserve.kept}"
        _log(session, f"not in reserve list: {counted}{why}")
        return Reply(
            421,
            f"{session.hostname}: Too many concurrent SMTP connections; please try again later",
            "4.3.2",
        )
    _log(session, f"not in reserve list and load average = {load:.2f}")
    return Reply(421, f"{session.hostname}: Too much load; please try again later", "4.3.2")


async def _is_kept_for(session: Session, hosts: HostList | None) -> tuple[bool, str]:
    try:
        return await is_in(session, hosts), ""
    except (ExpansionDeferred, ExpansionFailed):
        return False, " (lookup deferred)"


def _log(session: Session, why: str) -> None:
    if session.services.log_style.shows("connection_reject"):
        session.services.journal.main(f"temporarily refused connection from {session.who()}: {why}")
