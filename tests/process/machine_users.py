"""Users of the machine, for a script in a mount namespace of its own: /etc gets a layer, and lines for them in it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pillarbox.system.passwords import _crypt


def lay_over_etc() -> Path:
    """What is written to /etc from now on is seen in this namespace alone. A place on the layer's tmpfs, free to use."""
    folder = Path(tempfile.mkdtemp(prefix="pillarbox-etc-", dir="/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=True)
    for name in ("upper", "work"):
        (folder / name).mkdir()
    layers = f"lowerdir=/etc,upperdir={folder}/upper,workdir={folder}/work"
    subprocess.run(["mount", "-t", "overlay", "none", "-o", layers, "/etc"], check=True)
    return folder


def setting_of(password: str, salt: bytes) -> str:
    """As /etc/shadow has it. `salt`: with the method, `$6$saltofthetest$`."""
    setting = _crypt(password.encode(), salt)
    assert setting is not None
    return setting.decode()


def add_users(shadows: Mapping[str, str], first_uid: int) -> None:
    """Each with a group of the same number. `shadows`: login → what stands behind it in /etc/shadow."""
    for uid, (login, shadow) in enumerate(shadows.items(), first_uid):
        for path, line in (
            ("/etc/passwd", f"{login}:x:{uid}:{uid}::/home/{login}:/bin/sh\n"),
            ("/etc/shadow", f"{login}:{shadow}\n"),
            ("/etc/group", f"{login}:x:{uid}:\n"),
        ):
            with open(path, "a") as file:
                file.write(line)
