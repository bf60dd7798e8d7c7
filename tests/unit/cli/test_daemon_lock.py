"""What a daemon says of itself in its spool, for commands that were given another configuration."""

from __future__ import annotations

import os
from pathlib import Path

from pillarbox.cli.daemon_lock import LOCK, describe, runs_on_another, take_lock


def test_another_configuration_or_macro(tmp_path: Path) -> None:
    config = tmp_path / "conf"
    assert not runs_on_another(tmp_path, config, {})
    lock = take_lock(tmp_path, may_be_further=False)
    describe(lock, tmp_path, config, {"SERVER": "server"})
    assert take_lock(tmp_path, may_be_further=True).number == 1
    os.close(lock.descriptor)
    assert int((tmp_path / LOCK).read_text()) == os.getpid()
    assert not runs_on_another(tmp_path, config, {"SERVER": "server"})
    assert runs_on_another(tmp_path, config, {})
    assert runs_on_another(tmp_path, tmp_path / "other", {"SERVER": "server"})
