"""Whether a user can put something else in the place of a step of the path to their mail."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from pillarbox.backends.accounts.leading import Leader, Step, is_led, look_here

PAT, MAIL, OTHER = 1001, 999, 1003
LEADER = Leader(PAT, frozenset((PAT, 50)))


def directory(uid: int = 0, mode: int = 0o755, gid: int = 0) -> Step:
    return Step(uid, gid, stat.S_IFDIR | mode)


def link(target: str, uid: int = 0) -> Step:
    return Step(uid, uid, stat.S_IFLNK | 0o777, target)


MACHINE = {
    "/": directory(),
    "/srv": directory(),
    "/srv/mail": directory(MAIL),
    "/srv/mail/pat": directory(MAIL, 0o700),
    "/srv/link-home": link("/home/pat/Maildir"),
    "/srv/up-home": link("../home/./pat/../pat/Maildir"),
    "/srv/link-mail": link("mail/pat"),
    "/srv/far": link("/../../srv/link-mail"),
    "/srv/loop": link("loop"),
    "/srv/team": directory(0, 0o2775, 50),
    "/srv/team/pat": directory(MAIL),
    "/srv/closed": directory(0, 0o700),
    "/srv/closed/pat": Step(error=errno.EACCES),
    "/home": directory(),
    "/home/pat": directory(PAT),
    "/home/pat/Maildir": directory(MAIL),
    "/open": directory(0, 0o777),
    "/open/pat": directory(MAIL),
    "/tmp": directory(0, 0o1777),
    "/tmp/mails": directory(MAIL),
    "/tmp/roots": link("/srv/mail/pat"),
    "/tmp/others": link("/srv/mail/pat", OTHER),
    "/tmp/own": link("/srv/mail/pat", PAT),
    "/tmp/hidden": Step(error=errno.EACCES),
}


@pytest.mark.parametrize(
    ("root", "leads"),
    [
        ("/srv/mail/pat", False),
        ("/srv//mail/../mail/./pat/", False),
        ("/home/pat/Maildir", True),
        ("/srv/link-home", True),
        ("/srv/up-home", True),
        ("/srv/link-mail", False),
        ("/srv/far", False),
        ("/srv/loop", True),
        ("/srv/team/pat", True),
        ("/srv/closed/pat", False),
        ("/open/pat", True),
        ("/open/../srv/mail/pat", False),
        ("/open/pat/../../srv/mail/pat", True),
        ("/tmp/mails", False),
        ("/tmp/mails/new", False),
        ("/tmp/roots", False),
        ("/tmp/others", True),
        ("/tmp/own", True),
        ("/tmp/hidden", True),
        ("/tmp/nothing", True),
        ("/srv/nothing/at/all", False),
    ],
)
def test_a_path_leads_where_the_user_likes(root: str, leads: bool) -> None:
    assert is_led(root, LEADER, lambda path: MACHINE.get(path, Step(error=errno.ENOENT))) is leads


def test_looks_at_links_and_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("elsewhere")
    assert look_here(str(tmp_path / "link")).target == "elsewhere"
    assert look_here(str(tmp_path)).uid == os.getuid()
    assert look_here(str(tmp_path / "nothing")).error == errno.ENOENT
    assert look_here("\0").error
