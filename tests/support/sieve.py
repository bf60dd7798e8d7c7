"""Running a Sieve script on a message, in a line."""

from __future__ import annotations

from pillarbox.language.sieve.actions import Outcome
from pillarbox.language.sieve.circumstances import Circumstances, Envelope
from pillarbox.language.sieve.interpreter import run_sieve
from pillarbox.language.sieve.message import SieveMessage
from pillarbox.language.sieve.parser import parse_sieve
from pillarbox.mail.message import Message

MESSAGE = b"From: Al <al@out.test>\nTo: user@here.test\nSubject: Hello there\n\nbody\n"
ENVELOPE = Envelope("al@out.test", "user+lists", "here.test", "user", "lists")


def run(
    script: str, message: bytes = MESSAGE, *, envelope: Envelope = ENVELOPE, traces: bool = False
) -> Outcome:
    circumstances = Circumstances(envelope, "INBOX", ("user@here.test",), "owner@here.test", traces)
    return run_sieve(parse_sieve(script), SieveMessage(Message.parse(message)), circumstances)


def holds(test: str, message: bytes = MESSAGE, *, requires: str = "") -> bool:
    """Whether a test does. `requires`: extensions, divided by blanks."""
    names = ", ".join(f'"{name}"' for name in requires.split())
    outcome = run(f"require [{names}]; if {test} {{ discard; }}", message)
    assert outcome.mistake is None, str(outcome.mistake)
    return not outcome.actions


def mistake(script: str, message: bytes = MESSAGE) -> str:
    """Empty: none."""
    found = run(script, message).mistake
    return str(found) if found is not None else ""
