"""`stat`: what the file system says about a path (Exim 11.6). A system call on the loop, as quick as any."""

from __future__ import annotations

import os
import stat as modes

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.forbidden import refuse_forbidden
from pillarbox.language.expand.operators.scoped import scope_operator
from pillarbox.language.expand.scope import Scope


@scope_operator("stat", untaints=True)
def stat(text: str, scope: Scope) -> str:
    refuse_forbidden(scope, "stat")
    try:
        found = os.stat(text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ExpansionFailed(f"stat({text}) failed: {reason}") from None
    values = {
        "mode": f"{found.st_mode & 0o77777:04o}",
        "smode": modes.filemode(found.st_mode),
        "inode": found.st_ino,
        "device": found.st_dev,
        "links": found.st_nlink,
        "uid": found.st_uid,
        "gid": found.st_gid,
        "size": found.st_size,
        "atime": int(found.st_atime),
        "mtime": int(found.st_mtime),
        "ctime": int(found.st_ctime),
    }  # fmt: skip
    return " ".join(f"{name}={value}" for name, value in values.items())
