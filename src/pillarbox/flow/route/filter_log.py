"""`logwrite` of filters: lines appended to a file that the filter named, with the rights of whom the filter runs as (filter.txt 3.25).

Exim writes only when it runs the filter as somebody else than root; so do we. A file that cannot be opened is an
error of the filter.
"""

from __future__ import annotations

from collections.abc import Iterable

from pillarbox.language.filter import actions
from pillarbox.language.filter.actions import Action
from pillarbox.ports.localwork import Actor, CommandWork, LocalWork, WorkRefused

_USUAL_MODE = 0o600
_TIMEOUT = 30.0
_APPEND = ("/bin/sh", "-c", 'exec tee -a -- "$0" >/dev/null')


async def write_logs(wanted: Iterable[Action], work: LocalWork, actor: Actor | None) -> str:
    """What went wrong; empty: nothing."""
    texts: dict[str, str] = {}
    modes: dict[str, int] = {}
    for action in wanted:
        match action:
            case actions.LogFile(path=path, mode=mode):
                modes.setdefault(path, _USUAL_MODE if mode is None else mode)
            case actions.LogWrite(text=text, path=path):
                texts[path] = texts.get(path, "") + text
            case _:
                continue
    for path, text in texts.items():
        why = await _append(path, text, modes.get(path, _USUAL_MODE), work, actor)
        if why:
            return f'failed to open filter log file "{path}": {why}'
    return ""


async def _append(path: str, text: str, mode: int, work: LocalWork, actor: Actor | None) -> str:
    command = CommandWork(
        actor=actor,
        arguments=(*_APPEND, path),
        umask=0o777 & ~mode,
        timeout=_TIMEOUT,
        max_output=1000,
    )
    try:
        end = await work.run(command, (text.encode("utf-8", "surrogateescape"),))
    except WorkRefused as refusal:
        return str(refusal)
    if end.code or end.signal or end.failed_to:
        told = end.output.decode("utf-8", "replace").strip().rpartition(": ")[2]
        return told or end.failed_to or f"status {end.code}"
    return ""
