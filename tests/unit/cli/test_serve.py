"""What becomes the mail user's when root starts the daemon."""

from __future__ import annotations

from pathlib import Path

from pillarbox.app.configuration import load_config
from pillarbox.cli.serve import directories_of


def test_what_is_not_set_names_no_directory(tmp_path: Path) -> None:
    """Not the one we stand in: that may be the root of the file system."""
    config = tmp_path / "conf"
    config.write_text("spool_directory = /var/spool/x\nlog_file_path = /var/log/x/%slog\n")
    found = directories_of(load_config(config, serving=False))
    assert found == {Path("/var/spool/x")}


def test_mailboxes_are_the_mail_users(tmp_path: Path) -> None:
    config = tmp_path / "conf"
    config.write_text("spool_directory = /var/spool/x\nmail_directory = /var/lib/x/mail\n")
    found = directories_of(load_config(config, serving=False))
    assert found == {Path("/var/spool/x"), Path("/var/lib/x/mail")}
