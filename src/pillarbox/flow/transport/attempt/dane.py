"""DANE for one host: what the DNS says of its certificate, before it is called (RFC 7672; Exim 43.11).

It counts where DNSSEC vouches for the host's name and address and for the TLSA records. Then TLS is a must, and only what the records tell of
will do: no other authority is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from pillarbox.flow.transport.attempt.habits import Habits, Manners
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.attempt.trouble import Trouble
from pillarbox.flow.transport.login import Outbound
from pillarbox.wire.exim.outcome_line import remote_host
from pillarbox.wire.tlsa import Tlsa, read_tlsa


async def find_dane(target: Target, manners: Manners, habits: Habits) -> tuple[Tlsa, ...] | Trouble | None:
    """None: there is nothing, and nothing is demanded. Empty: TLS is a must, but no record is of use (RFC 7672 §2.2)."""
    is_required = manners.dane == "require"
    if not target.is_secure or habits.resolver is None:
        if not is_required:
            return None
        return await _failed(f"DANE error: {target.name} lookup not DNSSEC", target, habits)
    answer = await habits.resolver.query(f"_{target.port}._tcp.{target.name}", "TLSA")
    if answer.status == "again":
        await _tell("dnssec-invalid", target, habits)
        return Trouble("host", "DANE error: tlsa lookup DEFER", error="dane")
    if answer.status == "found" and not answer.is_secure and habits.note is not None:
        habits.note(f"DANE error: TLSA lookup for {target.name} not DNSSEC")
    if answer.status != "found" or not answer.is_secure:
        return await _failed("DANE error: tlsa lookup FAIL", target, habits) if is_required else None
    records = tuple(read_tlsa(record.data, record.raw) for record in answer.records)
    return tuple(record for record in records if record.is_usable)


def with_dane(manners: Manners, records: Sequence[Tlsa]) -> Manners:
    """TLS is a must, and the records alone say whom to believe; unless none of them can."""
    wish = manners.tls_wish
    if records:
        wish = replace(wish, verify="no", sni="", ciphers=manners.dane_ciphers or wish.ciphers)
    return replace(
        manners,
        tls="first" if manners.tls == "first" else "require",
        tls_wish=wish,
        clear_after_tls_failure=False,
    )


async def tell_of_failure(trouble: Trouble, target: Target, habits: Habits) -> None:
    """Of the connection, where there are records."""
    if trouble.is_tls:
        if habits.note is not None:
            why = trouble.text.removeprefix("TLS session: ")
            habits.note(f"DANE attempt failed; TLS connection to {remote_host(target.remote)}: {why}")
        await _tell("validation-failure", target, habits)
    elif trouble.error == "tls_required" and trouble.reply is None:
        await _tell("starttls-not-supported", target, habits)


async def _failed(text: str, target: Target, habits: Habits) -> Trouble:
    await _tell("dane-required", target, habits)
    return Trouble("host", text, error="dane", is_permanent=True)


async def _tell(why: str, target: Target, habits: Habits) -> None:
    if habits.events is not None:
        await habits.events.tell("dane:fail", why, at={Outbound: target.outbound()})
