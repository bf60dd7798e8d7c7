"""Which directory's group may be kept in reserve."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

import pytest

from pillarbox.system.filegroup import group_of, reserved_group

MAIL = 8
Facts = tuple[int, int, int]
"""mode, uid, gid."""
ROOT: Facts = (0o40755, 0, 0)
SPOOL: Facts = (0o42775, 0, MAIL)


def standing(places: dict[str, Facts]) -> Callable[..., os.stat_result]:
    def facts(path: str, **_: object) -> os.stat_result:
        mode, uid, gid = places.get(path, ROOT)
        return os.stat_result((mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))

    return facts


@pytest.mark.parametrize(
    ("places", "directory", "group"),
    [
        ({"/var/mail": SPOOL}, "/var/mail", MAIL),
        ({"/var/mail": (0o41777, 0, MAIL)}, "/var/mail", -1),
        ({"/var/mail": (0o40755, 0, MAIL)}, "/var/mail", -1),
        ({"/var/mail": (0o40775, 0, 0)}, "/var/mail", -1),
        ({"/var/mail": (0o40775, 1000, MAIL)}, "/var/mail", -1),
        ({"/home/pat": (0o40700, 1000, 1000), "/home/pat/link": SPOOL}, "/home/pat/link", -1),
        ({"/srv": (0o40775, 0, 50), "/srv/mail": SPOOL}, "/srv/mail", -1),
        ({"/srv": (stat.S_IFLNK | 0o777, 0, 0), "/srv/mail": SPOOL}, "/srv/mail", MAIL),
        ({"/srv": (stat.S_IFLNK | 0o777, 1000, 0), "/srv/mail": SPOOL}, "/srv/mail", -1),
    ],
)
def test_only_where_root_alone_leads(
    places: dict[str, Facts], directory: str, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", standing(places))
        patch.setattr(os, "stat", standing(places))
        found = group_of(directory)
    assert found == group


def test_nothing_is_reserved_here() -> None:
    with reserved_group() as is_reserved:
        assert not is_reserved
