"""dsearch: is there a file of this name in the directory? (Exim 9.3.5)

One system call on a local directory, so it is answered at once. Options: `ret=full` (the whole path), `filter=file|dir|subdir`,
`key=path` (the key may have slashes; a component `..` is never found). As with Exim, an option it does not know
does not count.

Stricter than Exim: `.` and `..` are never found unless `filter=dir` asks for directories, since the result may become part of a path.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping

from pillarbox.backends.lookups.driver import LookupWorld, SingleKey
from pillarbox.backends.lookups.files.kept import not_opened
from pillarbox.ports.lookups import LookupNotOpened

_FILTERS: Mapping[str, Callable[[int, str], bool]] = {
    "filter=file": lambda mode, key: stat.S_ISREG(mode),
    "filter=dir": lambda mode, key: stat.S_ISDIR(mode),
    "filter=subdir": lambda mode, key: stat.S_ISDIR(mode) and key not in (".", ".."),
}


class Dsearch(SingleKey):
    """Implements `ports.lookups.Lookup`."""

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        _check_directory(source)
        filters = [option for option in options if option in _FILTERS]
        if not _is_allowed(key, is_path="key=path" in options, may_be_dots="filter=dir" in filters):
            return None
        path = f"{source}/{key}"
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            return None
        if filters and not any(_FILTERS[name](mode, key) for name in filters):
            return None
        return path if "ret=full" in options else key


def make(kind: str, world: LookupWorld) -> Dsearch:
    return Dsearch()


def _check_directory(source: str) -> None:
    if not source.startswith("/") and os.path.isdir(source):
        raise LookupNotOpened(f"dirname '{source}' for dsearch is not absolute")
    try:
        is_directory = stat.S_ISDIR(os.stat(source).st_mode)
    except (OSError, ValueError) as error:
        raise not_opened(source, "for directory search", error) from None
    if not is_directory:
        raise LookupNotOpened(f"{source} is not a directory (dsearch lookup)")


def _is_allowed(key: str, *, is_path: bool, may_be_dots: bool) -> bool:
    if not key or "\0" in key:
        return False
    if is_path and ".." in key.split("/"):
        return False
    if key in (".", ".."):
        return may_be_dots
    if is_path:
        return True
    return "/" not in key
