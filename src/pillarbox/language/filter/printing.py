"""A filter's actions as `exim -bf` prints them (filter.txt 1.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from pillarbox.language.filter.actions import (
    Action,
    Add,
    Deliver,
    End,
    Finish,
    Headers,
    LogFile,
    LogWrite,
    Mail,
    MailIgnored,
    Outcome,
    Pipe,
    Save,
    TestPrint,
)
from pillarbox.language.printing import printable

SIGNIFICANT = (
    "Filtering set up at least one significant delivery or other action.\nNo other deliveries will occur."
)
NOT_SIGNIFICANT = "Filtering did not set up a significant delivery.\nNormal delivery will occur."


def lines_of(outcome: Outcome) -> Iterator[str]:
    """All that is printed of a run; the last lines say what it came to."""
    for action in outcome.actions:
        yield from _lines(action)
    if outcome.error:
        yield f"Filter error: {outcome.error}"
    elif outcome.end is not None:
        yield f'Filtering ended by "{outcome.end.verb}".'
    else:
        yield SIGNIFICANT if outcome.is_delivered else NOT_SIGNIFICANT


def _lines(action: Action) -> Iterator[str]:
    match action:
        case Deliver(address=address, errors_to=errors_to):
            errors = f" errors_to {errors_to}" if errors_to is not None else ""
            yield f"{_unseen('Deliver', action.is_seen)} message to: {address}{_noerror(action.ignores_errors)}{errors}"
        case Save(path=path, mode=mode):
            bits = f" {mode:04o}" if mode is not None else ""
            yield f"{_unseen('Save', action.is_seen)} message to: {path}{bits}{_noerror(action.ignores_errors)}"
        case Pipe(command=command):
            yield f"{_unseen('Pipe', action.is_seen)} message to: {command}{_noerror(action.ignores_errors)}"
        case Mail():
            yield from _mail(action)
        case MailIgnored(is_vacation=is_vacation):
            yield f"{'vacation' if is_vacation else 'mail'} command ignored because return_path is empty"
        case Add(number=number, variable=variable):
            yield f"Add {number} to n{variable}"
        case LogFile(path=path, is_seen=is_seen):
            yield f"{'Seen logfile' if is_seen else 'Logfile'} {path}"
        case LogWrite(text=text, is_seen=is_seen):
            yield f'{"Seen logwrite" if is_seen else "Logwrite"} "{printable_lines(text)}"'
        case Headers(change=change, text=text):
            yield f'Headers {change} "{printable_lines(text)}"'
        case TestPrint(text=text):
            yield f"Testprint: {printable_lines(text)}"
        case Finish(is_seen=is_seen):
            yield "Seen finish" if is_seen else "Finish"
        case End(verb=verb, text=text):
            yield f'{verb.capitalize()} text "{printable_lines(text)}"'
        case _:
            assert_never(action)


def _unseen(verb: str, is_seen: bool) -> str:
    return verb if is_seen else f"Unseen {verb.lower()}"


def _noerror(ignores_errors: bool) -> str:
    return " (noerror)" if ignores_errors else ""


def _mail(mail: Mail) -> Iterator[str]:
    to = "<default>" if mail.to is None else mail.to
    vacation = " (vacation)" if mail.is_vacation else ""
    yield f"{'Seen mail' if mail.is_seen else 'Mail'} to: {to}{vacation}{_noerror(mail.ignores_errors)}"
    for name, value in (
        ("cc", mail.cc),
        ("bcc", mail.bcc),
        ("from", mail.sender),
        ("reply_to", mail.reply_to),
        ("subject", mail.subject),
        ("extra_headers", mail.extra_headers),
        ("text", mail.text),
        ("file", mail.file),
        ("log", mail.log),
        ("once", mail.once),
        ("once_repeat", mail.once_repeat),
    ):
        if value is not None:
            expanded = " (expanded)" if name == "file" and mail.expands_file else ""
            yield f"{name:>7}: {printable_lines(value)}{expanded}"
    if mail.returns_message:
        yield "Return original message"


def printable_lines(text: str) -> str:
    """Tabs stay as they are in these texts."""
    return "\t".join(printable(part) for part in text.split("\t"))
