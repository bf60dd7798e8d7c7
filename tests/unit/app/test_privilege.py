"""Whom to become, and whether that user could still work."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from pillarbox.app import privilege
from pillarbox.backends.journal.paths import read_log_file_path

STRANGER = 54_321


def test_the_configured_user_is_taken_by_name_or_number() -> None:
    me = pwd.getpwuid(os.geteuid())
    assert privilege.choose_user(me.pw_name) == me == privilege.choose_user(str(me.pw_uid))


def test_without_a_configured_user_the_first_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    me = pwd.getpwuid(os.geteuid())
    monkeypatch.setattr(privilege, "CANDIDATES", ("no-such-user", me.pw_name))
    assert privilege.choose_user("") == me
    monkeypatch.setattr(privilege, "CANDIDATES", ("no-such-user", "neither-this"))
    with pytest.raises(privilege.NoSuchUser, match=r"no-such-user or neither-this.*set exim_user"):
        privilege.choose_user("")


def test_a_missing_user_or_group_is_named() -> None:
    me = pwd.getpwuid(os.geteuid())
    with pytest.raises(privilege.NoSuchUser, match="no-such-user"):
        privilege.choose_user("no-such-user")
    with pytest.raises(privilege.NoSuchUser, match="no-such-group"):
        privilege.group_of(me, "no-such-group")
    assert privilege.group_of(me, "") == me.pw_gid
    assert (
        privilege.group_of(me, grp.getgrgid(me.pw_gid).gr_name)
        == me.pw_gid
        == privilege.group_of(me, str(me.pw_gid))
    )


@pytest.mark.parametrize(
    ("mode", "is_reached"), [(0o755, True), (0o711, True), (0o750, False), (0o700, False)]
)
def test_every_folder_above_counts(tmp_path: Path, mode: int, is_reached: bool) -> None:
    """As pytest's own folders are closed to others, one below /tmp is made."""
    folder = Path("/tmp") / f"pillarbox-reach-{os.getpid()}"
    (folder / "inner").mkdir(parents=True)
    try:
        folder.chmod(mode)
        assert privilege.can_reach(STRANGER, STRANGER, folder / "inner" / "file") is is_reached
        assert privilege.can_reach(folder.stat().st_uid, STRANGER, folder / "inner" / "file")
    finally:
        (folder / "inner").rmdir()
        folder.rmdir()


def test_giving_does_not_follow_symbolic_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "outside"
    outside.write_text("")
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "link").symlink_to(outside)
    given: list[tuple[str, bool]] = []

    def chown(path: object, uid: int, gid: int, *, follow_symlinks: bool = True) -> None:
        given.append((Path(str(path)).name, follow_symlinks))

    monkeypatch.setattr(os, "chown", chown)
    privilege.give(folder, STRANGER, STRANGER)
    assert sorted(given) == [("folder", False), ("inner", False), ("link", False)]


def test_giving_passes_over_what_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").write_text("")
    (tmp_path / "there").write_text("")
    given: list[str] = []

    def chown(path: object, uid: int, gid: int, *, follow_symlinks: bool = True) -> None:
        if Path(str(path)).name == "gone":
            raise FileNotFoundError(2, "No such file or directory", str(path))
        given.append(Path(str(path)).name)

    monkeypatch.setattr(os, "chown", chown)
    privilege.give(tmp_path, STRANGER, STRANGER)
    assert given == ["there", tmp_path.name]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_of_a_directory_of_the_systems_only_the_logs_are_given(tmp_path: Path) -> None:
    (tmp_path / "syslog").write_text("")
    targets = read_log_file_path(f"{tmp_path}/exim_%slog", "/nowhere")
    privilege.give_logs(targets, STRANGER, STRANGER, 0.0)
    owners = {path.name: path.stat().st_uid for path in tmp_path.iterdir()}
    assert owners == dict.fromkeys(("exim_mainlog", "exim_rejectlog", "exim_paniclog"), STRANGER) | {
        "syslog": 0
    }
    assert tmp_path.stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_directory_of_logs_changes_hands_with_them(tmp_path: Path) -> None:
    os.chown(tmp_path, STRANGER + 1, STRANGER + 1)
    (tmp_path / "mainlog").write_text("")
    (tmp_path / "other").write_text("")
    privilege.give_logs(read_log_file_path(f"{tmp_path}/%slog", "/nowhere"), STRANGER, STRANGER, 0.0)
    owners = {path.name: path.stat().st_uid for path in tmp_path.iterdir()}
    assert owners == {"mainlog": STRANGER, "other": 0}
    assert tmp_path.stat().st_uid == STRANGER
