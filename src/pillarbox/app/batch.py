"""Batched SMTP on standard input: `exim -bS`, `rsmtp` (Exim 49.11).

Nobody reads replies, so there are none: the first error ends the batch and is told on standard error and standard output, as Exim tells it.
"""

from __future__ import annotations

import sys
from typing import BinaryIO

import msgspec

from pillarbox.app.alone_options import AloneOptions
from pillarbox.app.control import take_in
from pillarbox.app.mta import Mta
from pillarbox.flow.accept.finish.rewriting import rewrite_early
from pillarbox.flow.accept.local.batch import BatchError, Transaction, read_batch
from pillarbox.flow.accept.local.caller import Caller
from pillarbox.flow.accept.local.refused import BY_ACL
from pillarbox.flow.connection_id import new_connection_id
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Origin
from pillarbox.wire.control import Submit
from pillarbox.wire.exim.log_line import smtp_connection

TOO_BIG = "552 Message size exceeds maximum permitted"
_TOO_MANY = {False: "452 too many recipients", True: "552 too many recipients"}


async def take_batch(source: BinaryIO, caller: Caller, mta: Mta, options: AloneOptions) -> int:
    """0: all of it was taken; 1: some messages before an error; 2: none."""
    taken = 0
    is_of_a_host = caller.is_trusted and "a" in dict(options.about)
    keeps_unqualified = options.keeps_unqualified or is_of_a_host
    carried: dict[str, str] = {}
    connection = smtp_connection(
        Origin(ident=caller.login, connection_id=new_connection_id()), mta.accept_services.log_style
    )
    if mta.accept_services.log_style.shows("smtp_connection"):
        mta.world.journal.main(connection)
    try:
        for written in read_batch(
            source,
            keeps_unqualified=keeps_unqualified,
            recipients_max=mta.policy.engine.recipients_max,
            too_many=_TOO_MANY[mta.policy.recipients_max_reject],
        ):
            transaction = await _rewritten(written, mta)
            wish = _wish(transaction, options, taken + 1, keeps_unqualified=keeps_unqualified)
            line = await take_in(wish, transaction.data, caller, mta, carried)
            if line.is_error:
                raise _refusal(transaction, line.text, mta.policy.engine.offer.size)
            taken += 1
            if mta.accept_services.delivered is not None:
                await mta.accept_services.delivered()
    except BatchError as error:
        if error.lost:
            message_id = f"{mta.world.spool.new_id()} " if error.lost == " " else ""
            mta.world.journal.main(
                f"{message_id}{connection} lost while reading message data{error.lost.rstrip()}"
            )
        _tell(error, taken)
        return 1 if taken else 2
    return 0


def _refusal(transaction: Transaction, text: str, size_limit: int | None) -> BatchError:
    if size_limit and len(transaction.data) > size_limit:
        return BatchError(TOO_BIG, transaction.began_at, transaction.line_at(size_limit), "")
    return BatchError(f"550 {text.removeprefix(BY_ACL)}", transaction.began_at, transaction.ended_at, "")


async def _rewritten(transaction: Transaction, mta: Mta) -> Transaction:
    """By `S` rules, as in SMTP."""
    rewriting = mta.policy.rewriting
    if rewriting is None or not rewriting.rules.are_for_smtp:
        return transaction
    scope = Scope({Origin: Origin()}, mta.expansion)
    recipients = [await rewrite_early(rewriting, each, "", scope) for each in transaction.recipients]
    sender = transaction.sender
    return msgspec.structs.replace(
        transaction,
        sender=await rewrite_early(rewriting, sender, "", scope) if sender else sender,
        recipients=tuple(recipients),
    )


def _wish(transaction: Transaction, options: AloneOptions, number: int, *, keeps_unqualified: bool) -> Submit:
    about = {letter: text for letter, text in options.about if letter not in ("aa", "as")}
    about.setdefault("r", "local-bsmtp")
    if transaction.helo and "a" not in about:
        about["helo"] = transaction.helo
    return Submit(
        recipients=transaction.recipients,
        sender=transaction.sender,
        errors="p",
        about=about,
        reference=options.reference,
        is_dry=options.is_dry,
        size=len(transaction.data),
        suppresses_fixups=options.suppresses_fixups,
        keeps_unqualified=keeps_unqualified,
        number=number,
    )


def _tell(error: BatchError, taken: int) -> None:
    where = f"Transaction started in line {error.began_at}\nError detected in line {error.line}\n"
    command = f"{error.command}\n" if error.command else ""
    sys.stdout.write(f"{error}\n{where}{command}")
    sys.stderr.write(
        "An error was detected while processing a file of BSMTP input.\n"
        f"The error message was:\n\n  {error}\n\n"
        f"The SMTP transaction started in line {error.began_at}.\n"
        f"The error was detected in line {error.line}.\n"
    )
    if error.command:
        sys.stderr.write(f"The SMTP command at fault was:\n\n   {error.command}\n\n")
    messages = "1 previous message was" if taken == 1 else f"{taken} previous messages were"
    sys.stderr.write(f"{messages} successfully processed.\nThe rest of the batch was abandoned.\n")
