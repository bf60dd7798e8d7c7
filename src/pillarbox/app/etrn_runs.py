"""ETRN: the queue runs that clients ask for (Exim 49.8)."""

from __future__ import annotations

import asyncio

from pillarbox.app.helping import local_work
from pillarbox.config.model import Config
from pillarbox.flow.accept.etrn_command import EtrnCommand
from pillarbox.flow.queue.runner import QueueRun, QueueRunner
from pillarbox.flow.settings import SmtpService
from pillarbox.ports.journal import Journal


class EtrnRuns:
    """What `exim -R` does, behind the reply."""

    __slots__ = ("_is_serial", "_runner", "_runs", "_texts")

    def __init__(self, runner: QueueRunner, *, is_serial: bool) -> None:
        """`is_serial`: `smtp_etrn_serialize`."""
        self._runner = runner
        self._is_serial = is_serial
        self._runs: set[asyncio.Task[None]] = set()
        self._texts: list[str] = []
        """Arguments that runs are at work for."""

    def begin(self, text: str) -> bool:
        """False: the same is under way."""
        if text in self._texts and self._is_serial:
            return False
        self._texts.append(text)
        run = self._runner.run(QueueRun(is_by_hand=True, recipient=text))
        task = asyncio.get_running_loop().create_task(run)
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)
        task.add_done_callback(lambda _: self._texts.remove(text))
        return True


def etrn_command(config: Config, journal: Journal) -> EtrnCommand | None:
    """None: no `smtp_etrn_command`; ETRN is a queue run."""
    service = config.main(SmtpService)
    if service.smtp_etrn_command is None:
        return None
    return EtrnCommand(
        service.smtp_etrn_command, local_work(None), journal, is_serial=service.smtp_etrn_serialize
    )
