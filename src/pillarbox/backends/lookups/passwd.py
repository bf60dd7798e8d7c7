"""passwd: the system's user data, as a line of /etc/passwd with `*` for the password (Exim 9.4.6).

Asked of the C library in a thread: the name service may be a server's.
"""

from __future__ import annotations

import asyncio
import pwd

from pillarbox.backends.lookups.driver import LookupWorld, QueryStyle


class Passwd(QueryStyle):
    """Implements `ports.lookups.Lookup`."""

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return await asyncio.to_thread(_entry, key)


def make(kind: str, world: LookupWorld) -> Passwd:
    return Passwd()


def _entry(name: str) -> str | None:
    """Uid, gid, full name, home and shell behind the star, without the user's name."""
    try:
        found = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return None
    return f"*:{found.pw_uid}:{found.pw_gid}:{found.pw_gecos}:{found.pw_dir}:{found.pw_shell}"
