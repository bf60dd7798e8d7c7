"""To whom a message of a program on this machine goes: the addresses of its arguments, or with `-t` those of its header lines (Exim 5, 48)."""

from __future__ import annotations

import contextlib

import msgspec

from pillarbox.flow.accept.local.refused import Refused
from pillarbox.flow.accept.paths import stripped
from pillarbox.flow.accept.policy import AcceptPolicy, AcceptServices
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.addresses import AddressError, address_items, working_address
from pillarbox.mail import header
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.wire.control import Submit

RECIPIENT_HEADERS = ("to", "cc", "bcc")
_NO_RECIPIENTS = "no recipient addresses"
RESENT_HEADERS = ("resent-to", "resent-cc", "resent-bcc")


class Named(msgspec.Struct, frozen=True):
    recipients: tuple[Recipient, ...]
    bad: tuple[tuple[str, str], ...] = ()
    """What is no address, and what is wrong with it."""
    left_out: frozenset[str] = frozenset()
    """Who must not get it, by an alias either; perhaps among `recipients`."""


def arguments(wish: Submit, message: Message, policy: AcceptPolicy) -> tuple[Recipient, ...]:
    """Recipients named by the caller; the first bad one is refused, and with it the message."""
    if not wish.recipients:
        raise Refused("exim: no recipients in message", kind="none", message=message, cause=_NO_RECIPIENTS)
    if not wish.extract_recipients and are_too_many(len(wish.recipients), policy):
        raise Refused(
            "exim: too many recipients", kind="recipients", message=message, cause=_too_many(policy)
        )
    made = []
    for address in wish.recipients:
        try:
            made.append(_recipient(address, policy, keeps_unqualified=wish.keeps_unqualified))
        except AddressError as error:
            raise Refused(
                f'exim: bad recipient address "{address}": {error}',
                kind="argument",
                bad=((address, str(error)),),
                message=message,
                cause=_malformed(address, str(error)),
            ) from error
    return tuple(dict.fromkeys(made))


def _too_many(policy: AcceptPolicy) -> str:
    return f"too many recipients (max set to {policy.engine.recipients_max})"


def _malformed(address: str, why: str) -> str:
    return f"at least one malformed recipient address: {address} - {why}"


def are_too_many(count: int, policy: AcceptPolicy) -> bool:
    """`recipients_max`."""
    return 0 < policy.engine.recipients_max < count


def _recipient(text: str, policy: AcceptPolicy, *, keeps_unqualified: bool = False) -> Recipient:
    """Raises AddressError. `keeps_unqualified`: an address without a domain is refused."""
    rules = policy.habits.paths
    working = working_address(stripped(text.strip(), rules), takes_literals=rules.allow_domain_literals)
    if working.domain_at:
        return Recipient(working.address)
    if keeps_unqualified:
        raise AddressError("unqualified recipient address not allowed")
    return Recipient(f"{working.address}@{policy.qualify_recipient}")


def extracted(
    wish: Submit,
    repaired: Message,
    original: Message,
    facts: MessageFacts,
    policy: AcceptPolicy,
    services: AcceptServices,
) -> Named:
    """`-t`: those of the headers, without those named by the caller. Bad ones do no harm while there are good ones and their sender hears of
    them by mail. `repaired`: what the sender is shown. Raises Refused."""
    named = arguments(wish, original, policy) if wish.recipients else ()
    leaves_out = policy.local_senders.arguments_are_left_out
    left_out = frozenset(each.address for each in named) if leaves_out else frozenset()
    good = [] if leaves_out else list(named)
    bad: list[tuple[str, str]] = []
    written = 0
    for text, rest in _listed(original.headers):
        try:
            found = _recipient(text, policy)
        except AddressError as error:
            bad.append((rest, str(error)))
            continue
        written += 1
        if found.address not in left_out or "@" not in text:  # as written: who is left out has had it
            good.append(found)
    if are_too_many(written, policy):  # those that are left out count too, those named by the caller do not
        nothing = Message(b"", MemoryBody(b""))
        raise Refused(
            "exim: message rejected: too many recipients",
            kind="recipients",
            message=nothing,
            cause=_too_many(policy),
        )
    if bad:
        services.journal.panic(f"{facts.id} bad addresses found in headers")
        if not good or wish.errors in ("p", "q"):
            raise bad_headers(tuple(bad), facts, repaired)
    elif not good:
        services.journal.panic(f"{facts.id} no recipients found in headers")
        refused = Refused(
            "exim: no recipients in message",
            kind="none",
            message=repaired,
            message_id=facts.id,
            cause=_NO_RECIPIENTS,
        )
        refused.log = f"{facts.id} no recipients found in headers"
        raise refused
    return Named(tuple(good), tuple(bad), left_out)


def as_written(
    wish: Submit, original: Message, left_out: frozenset[str], policy: AcceptPolicy
) -> tuple[str, ...]:
    """The recipients before they were qualified and rewritten, as `received_recipients` shows them in the log. Bad ones are left out."""
    texts = list(wish.recipients)
    if wish.extract_recipients:
        texts = [] if policy.local_senders.arguments_are_left_out else texts
        texts += [text for text, _ in _listed(original.headers)]
    found: dict[str, None] = {}
    for text in texts:
        with contextlib.suppress(AddressError):
            if _recipient(text, policy).address not in left_out or "@" not in text:
                plain = stripped(text.strip(), policy.habits.paths)
                found[working_address(plain, takes_literals=True).address] = None
    return tuple(found)


def good_in_headers(headers: bytes, policy: AcceptPolicy) -> tuple[Recipient, ...]:
    """Those that `-t` would have found."""
    found = []
    for text, _ in _listed(headers):
        with contextlib.suppress(AddressError):
            found.append(_recipient(text, policy))
    return tuple(found)


def bad_headers(
    bad: tuple[tuple[str, str], ...], facts: MessageFacts, message: Message, *, is_taken: bool = False
) -> Refused:
    one = f"exim: invalid address:  {bad[0][0]}: {bad[0][1]}"
    many = "exim: invalid addresses:" + "".join(f"\n  {text}: {why}" for text, why in bad)
    refused = Refused(
        one if len(bad) == 1 else many,
        kind="headers",
        bad=bad,
        message=message,
        message_id=facts.id,
        is_taken=is_taken,
        cause=_malformed(*bad[0]),
    )
    refused.log = f"{facts.id} bad addresses found in headers"
    return refused


def _listed(headers: bytes) -> list[tuple[str, str]]:
    """What stands in the header lines of recipients: each address, and all from there to the end of its line, which complaints show."""
    names = {field.name.lower() for field in header.parse_headers(headers)}
    is_resent = any(name.startswith("resent-") for name in names)
    chosen = RESENT_HEADERS if is_resent else RECIPIENT_HEADERS
    fields = (field for field in header.parse_headers(headers) if field.name.lower() in chosen)
    values = [field.value.decode("utf-8", "surrogateescape") for field in fields]
    return [
        (item.text.strip(), value[item.start :].strip())
        for value in values
        for item in address_items(value)
        if item.text.strip()
    ]
