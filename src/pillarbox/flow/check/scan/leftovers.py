"""What scanners and `decode` have written of a message: gone when its ACLs are over, unless `control = no_mbox_unspool` keeps it."""

from __future__ import annotations

from collections.abc import Container

from pillarbox.flow.check.acl.state import CheckMemory
from pillarbox.language.expand.scope import Scope
from pillarbox.ports.scan_files import ScanFiles

KEPT = "no_mbox_unspool"


async def forget_files(
    message_id: str, memory: CheckMemory | None, scope: Scope, controls: Container[str]
) -> None:
    """`controls`: names of those that ACLs have set."""
    if memory is None or not memory.scans.get("files") or KEPT in controls:
        return
    files = scope.facet(ScanFiles)  # type: ignore[type-abstract]
    if files is not None:
        await files.forget(message_id)
