"""User files in memory, for tests: what was delivered, and how much of it a power cut would leave."""

from __future__ import annotations

from pillarbox.ports.userfiles import DeliveryFailure, MaildirDelivery


class MemoryUserFiles:
    """`files`: path → content. `failure`, when set, is raised by every delivery."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.durable: dict[str, bytes] = {}
        self.failure: DeliveryFailure | None = None
        self._paths: dict[tuple[str, str], str] = {}

    def deliver_maildir(self, delivery: MaildirDelivery) -> str:
        if self.failure is not None:
            raise self.failure
        key = (delivery.directory, delivery.unique)
        if delivery.is_repeat and self._paths.get(key) in self.files:
            return self._paths[key]
        path = f"{delivery.directory}/new/{int(delivery.received_at)}.{delivery.unique}"
        self.files[path] = b"".join(delivery.chunks)
        self._paths[key] = path
        return path

    async def deliver_large_maildir(self, delivery: MaildirDelivery) -> str:
        return self.deliver_maildir(delivery)

    async def sync(self) -> None:
        self.durable = dict(self.files)
