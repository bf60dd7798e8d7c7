"""What a command's end means for the delivery: delivered, try again, failed (Exim 29.2)."""

from __future__ import annotations

import os
from typing import Literal

import msgspec

from pillarbox.flow.transport.status import meaning_of, signal_name
from pillarbox.ports.localwork import CommandEnd
from pillarbox.wire.exim.error_numbers import unnamed

Result = Literal["delivered", "deferred", "failed", "frozen"]
_EXEC_FAILED = 127


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """The pipe's options that say so."""

    name: str
    ignore_status: bool = False
    freeze_exec_fail: bool = False
    freeze_signal: bool = False
    timeout_defer: bool = False
    temp_errors: frozenset[int] | None = frozenset((75, 73))
    """None: all."""

    def is_temporary(self, code: int) -> bool:
        return self.temp_errors is None or code in self.temp_errors


class Judgement(msgspec.Struct, frozen=True):
    result: Result
    text: str = ""
    """For the log, in Exim's words."""
    error: str = ""
    """For the retry hint."""


class Command(msgspec.Struct, frozen=True):
    """What was run, for the log."""

    source: str
    """As it is written."""
    program: str
    directory: str


def judge(end: CommandEnd, manner: Manner, command: Command, *, is_returning: bool) -> Judgement:
    """`is_returning`: it wrote something that makes it a failure."""
    source, program = command.source, command.program
    if end.failed_to and end.failed_to != "exec":
        told = _not_started(end, manner.name, command.directory)
        return Judgement("deferred", told, unnamed(end.error))
    if end.is_timed_out:
        return Judgement("deferred" if manner.timeout_defer else "failed", "pipe delivery process timed out")
    is_not_run = end.failed_to == "exec" or (end.code == _EXEC_FAILED and not end.signal)
    if is_not_run and manner.freeze_exec_fail:
        return Judgement("frozen", f'pipe process failed to exec "{source}"')
    number = end.signal or (9 if end.is_too_talkative else 0)
    if number:
        return _killed(number, manner, source, is_returning=is_returning)
    code = _EXEC_FAILED if is_not_run else end.code
    if code and not manner.ignore_status:
        meaning = meaning_of(code)
        told = f" (could mean {meaning})" if meaning else ""
        text = f"Child process of {manner.name} transport returned {code}{told} from command: {program}"
        is_temporary = manner.is_temporary(code) and not is_returning
        return Judgement("deferred" if is_temporary else "failed", text)
    return Judgement("failed", "return message generated") if is_returning else Judgement("delivered")


def _killed(number: int, manner: Manner, source: str, *, is_returning: bool) -> Judgement:
    shown = source.replace('"', '\\"')
    text = (
        f'Child process of {manner.name} transport (running command "{shown}") '
        f"was terminated by signal {number} ({signal_name(number)})"
    )
    if manner.freeze_signal:
        return Judgement("frozen", text)
    if not manner.ignore_status:
        return Judgement("failed", text)
    return Judgement("failed", "return message generated") if is_returning else Judgement("delivered")


def _not_started(end: CommandEnd, name: str, directory: str) -> str:
    match end.failed_to:
        case "chdir":
            return f"failed to chdir to {directory}"
        case "fork":
            return f"Failed to create child process for {name} transport: {os.strerror(end.error)}"
        case step:
            return f"{name} transport: failed to {step}: {os.strerror(end.error)}"
