"""Directories that a delivery needs, and where it may make new things (Exim 26.2: create_directory, create_file)."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from pillarbox.backends.userfiles.stopping import stop, trouble
from pillarbox.ports.userfiles import FileWork
from pillarbox.wire.exim.error_numbers import CREATION_FORBIDDEN


def may_create(work: FileWork, path: str) -> bool:
    """Whether `create_file` lets `path` come into being. Links on the way are looked through: what counts is where it would be."""
    below = work.create_below
    if not below:
        return True
    if ".." in path.split("/"):
        return False
    if not _is_beneath(f"{path}/", below):
        return False
    if not work.create_strictly:
        in_home = path if work.kind not in ("mbox", "mbx") else os.path.dirname(path)
        return in_home.rstrip("/") == below.rstrip("/")
    return _is_beneath(f"{_real(path)}/", os.path.realpath(below))


def _is_beneath(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/")


def _real(path: str) -> str:
    """With links resolved as far as there is anything."""
    return os.path.realpath(path)


def make_parents(work: FileWork) -> None:
    """The directories above a file. Raises Stopped."""
    parent = os.path.dirname(work.path)
    is_free = not work.create_below or (work.create_strictly and may_create(work, work.path))
    if work.rules.creates_directory and is_free and not os.path.isdir(parent):
        make_directory(parent, work)


def make_directory(path: str, work: FileWork, text: str = "") -> None:
    """With those above it, of the mode that was asked for. `text`: what the log says when it cannot be. Raises Stopped."""
    mode = work.rules.directory_mode
    missing: list[str] = []
    above = path.rstrip("/") or "/"
    while above != "/" and not os.path.lexists(above):
        missing.append(above)
        above = os.path.dirname(above)
    for each in reversed(missing):
        try:
            os.mkdir(each, mode)
        except FileExistsError:
            continue
        except OSError as error:
            reason = f"failed to create directories for {work.path}: {os.strerror(error.errno or 0)}"
            raise trouble(error, text or reason) from None
        with suppress(OSError):
            if stat.S_IMODE(os.stat(each).st_mode) & 0o777 != mode & 0o777:
                os.chmod(each, mode)  # takes away the set-group bit that a directory above has given it


def check_bounds(work: FileWork) -> None:
    """Whether `create_file` lets a delivery make new files in the directory, which may be there. Raises Stopped."""
    if not may_create(work, work.path):
        raise stop(
            f"tried to create file in {work.path}, but file creation outside the home directory is not permitted",
            CREATION_FORBIDDEN,
        )


def check_directory(work: FileWork, file: str) -> None:
    """The directory of a delivery into new files: there, or made. `file`: what is to be opened in it. Raises Stopped."""
    path = work.path.rstrip("/") or "/"
    check_bounds(work)
    try:
        os.stat(path)
    except FileNotFoundError:
        if work.rules.creates_directory:
            make_directory(path, work, f"while creating file {file}")
    except OSError as error:
        raise trouble(error, f"failed to stat {path}") from None
