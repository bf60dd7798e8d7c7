"""Program + message → actions (RFC 5228 §2.10)."""

from __future__ import annotations

from pillarbox.language.sieve.actions import Outcome
from pillarbox.language.sieve.circumstances import Circumstances
from pillarbox.language.sieve.errors import Mistake, SieveError
from pillarbox.language.sieve.message import SieveMessage
from pillarbox.language.sieve.parser import Program
from pillarbox.language.sieve.run import Run


def run_sieve(program: Program, message: SieveMessage, circumstances: Circumstances) -> Outcome:
    """A mistake keeps the message; what was set up before it stands."""
    run = Run(message, circumstances)
    mistake: Mistake | None = None
    try:
        run.commands(program.commands)
        if not run.is_stopped:
            mistake = program.mistake
    except SieveError as error:
        mistake = program.mistake_at(error)
    if run.keeps or mistake is not None:
        run.keep_in_the_end()
    return Outcome(tuple(run.actions), run.keeps, mistake, tuple(run.trace or ()))
