"""What `-bh` says of an ACL: each line, its answer, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pillarbox.app.asking.host_testing import test_host as hold_session

CONFIG = """\
spool_directory = {dir}/nowhere
log_file_path = {dir}/nowhere/%slog
primary_hostname = mx.example
smtp_banner = here
acl_smtp_connect = gate
begin acl
gate:
  warn set acl_c0 = 1
  deny hosts = 192.0.2.0/24
       message = go away
  accept
"""


def test_commentary_and_log_lines(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "conf"
    config.write_text(CONFIG.format(dir=tmp_path))
    assert hold_session(config, "192.0.2.1.25") == 0
    out, said = capfd.readouterr()
    assert out.startswith("\n**** SMTP testing session as if from host 192.0.2.1\n")
    assert "550 5.7.1 go away" in out or "554 5.7.1 go away" in out
    lines = said.splitlines()
    assert ">>> check set acl_c0 = 1" in lines
    at = lines.index(">>> check hosts = 192.0.2.0/24")
    assert lines[at + 1 : at + 4] == [
        '>>> host in "192.0.2.0/24"?',
        ">>>  list element: 192.0.2.0/24",
        '>>>  host in "192.0.2.0/24"? yes (matched "192.0.2.0/24")',
    ]
    assert ">>> end of ACL gate: DENY" in lines
    assert any(line.startswith("LOG: H=[192.0.2.1]") for line in lines)
    assert not (tmp_path / "nowhere").exists()


def test_what_is_no_address(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert hold_session(tmp_path, "host.example") == 1
    assert capfd.readouterr().err == 'exim: "host.example" is not an IP address\n'
