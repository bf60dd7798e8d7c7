"""A disk in memory that can lose power: what was not synced is dropped, torn or reordered.

Every change is written into `log`. `survivors(cut, choice)` is the disk as it could be found after a power cut behind the first
`cut` entries: what was synced is there; of the rest `choice` decides sector by sector and name by name. Stricter than Linux: a sync of a
file says nothing about its name, and later changes may survive earlier ones. Gap: new directories are durable at once.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
import threading
from collections.abc import Callable

SECTOR = 512

Choice = Callable[[], bool]
Change = tuple[str, *tuple[object, ...]]


def drop_all() -> bool:
    return False


def keep_all() -> bool:
    return True


def keep_some(seed: int) -> Choice:
    chooser = random.Random(seed)
    return lambda: chooser.random() < 0.5


class SimulatedDisk:
    """Implements `pillarbox.system.durable.Disk`. `room`: bytes that all files together may have."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.log: list[Change] = []
        self.room = room
        self.open_files = 0
        self.max_open_files = 1 << 20
        self._mutex = threading.RLock()
        self._data: dict[int, bytearray] = {}
        self._names: dict[str, int] = {}
        self._files: dict[int, int] = {}
        self._locks: dict[int, int] = {}
        self._next = 3

    def mark(self, *fact: object) -> None:
        with self._mutex:
            self.log.append(("mark", *fact))

    def survivors(self, cut: int, choice: Choice) -> SimulatedDisk:
        return _survivors(self.log[:cut], choice)

    # Disk

    def open(self, path: str, flags: int, mode: int = 0o640) -> int:
        with self._mutex:
            if len(self._files) >= self.max_open_files:
                raise OSError(errno.EMFILE, "too many open files")
            inode = -1 if flags & os.O_DIRECTORY else self._inode(path, flags)
            self._next += 1
            self._files[self._next] = inode
            return self._next

    def _inode(self, path: str, flags: int) -> int:
        inode = self._names.get(path)
        if inode is None:
            if not flags & os.O_CREAT:
                raise FileNotFoundError(errno.ENOENT, "no such file", path)
            self._next += 1
            inode = self._next
            self._data[inode] = bytearray()
            self._names[path] = inode
            self.log.append(("link", path, inode))
        elif flags & os.O_EXCL:
            raise FileExistsError(errno.EEXIST, "file exists", path)
        elif flags & os.O_TRUNC:
            self._resize(inode, 0)
        return inode

    def close(self, fd: int) -> None:
        with self._mutex:
            inode = self._files.pop(fd)
            if self._locks.get(inode) == fd:
                del self._locks[inode]
            self._free_unused(inode)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        with self._mutex:
            return bytes(self._data[self._files[fd]][offset : offset + size])

    def pwrite(self, fd: int, data: bytes, offset: int) -> None:
        with self._mutex:
            inode = self._files[fd]
            content = self._data[inode]
            self._need_room(offset + len(data) - len(content))
            _write(content, offset, data)
            self.log.append(("write", inode, offset, bytes(data)))

    def pwrite_durable(self, fd: int, data: bytes, offset: int) -> None:
        """This range and nothing else of the file is durable."""
        with self._mutex:
            self.pwrite(fd, data, offset)
            self.log.append(("sync range", self._files[fd], offset, offset + len(data)))

    def _need_room(self, more: int) -> None:
        if more > 0 and sum(map(len, self._data.values())) + more > self.room:
            raise OSError(errno.ENOSPC, "no space left on device")

    def size(self, fd: int) -> int:
        with self._mutex:
            return len(self._data[self._files[fd]])

    def truncate(self, fd: int, size: int) -> None:
        with self._mutex:
            self._resize(self._files[fd], size)

    def _resize(self, inode: int, size: int) -> None:
        content = self._data[inode]
        self._need_room(size - len(content))
        _resize(content, size)
        self.log.append(("resize", inode, size))

    def allocate(self, fd: int, size: int) -> None:
        self.truncate(fd, size)
        self.fdatasync(fd)

    def fdatasync(self, fd: int) -> None:
        with self._mutex:
            self.log.append(("sync", self._files[fd]))

    def syncfs(self, fd: int) -> None:
        with self._mutex:
            self.log.append(("syncfs",))

    def sync_directory(self, path: str) -> None:
        with self._mutex:
            self.log.append(("syncdir", path))

    def rename(self, old: str, new: str) -> None:
        with self._mutex:
            inode = self._names.pop(old, None)
            if inode is None:
                raise FileNotFoundError(errno.ENOENT, "no such file", old)
            self._names[new] = inode
            self.log.append(("rename", old, new, inode))

    def unlink(self, path: str) -> None:
        with self._mutex:
            inode = self._names.pop(path, None)
            if inode is None:
                raise FileNotFoundError(errno.ENOENT, "no such file", path)
            self._free_unused(inode)
            self.log.append(("unlink", path))

    def _free_unused(self, inode: int) -> None:
        if inode not in self._files.values() and inode not in self._names.values():
            self._data.pop(inode, None)

    def make_directory(self, path: str, mode: int = 0o750) -> None:
        return

    def names(self, path: str) -> list[str]:
        with self._mutex:
            inside = (name[len(path) + 1 :] for name in self._names if name.startswith(path + "/"))
            return sorted({name.partition("/")[0] for name in inside})

    def free_space(self, fd: int) -> int:
        with self._mutex:
            return self.room - sum(map(len, self._data.values()))

    def age_mark(self, fd: int) -> float:
        return 0.0

    def lock(self, fd: int) -> bool:
        with self._mutex:
            return self._locks.setdefault(self._files[fd], fd) == fd


def _write(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _resize(content: bytearray, size: int) -> None:
    if size <= len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


def _survivors(log: list[Change], choice: Choice) -> SimulatedDisk:
    data: dict[int, bytearray] = {}
    names: dict[str, int] = {}
    pending: list[Change] = []
    for change in log:
        match change:
            case ("sync", inode):
                pending = _apply(
                    pending, data, names, lambda c, i=inode: c[0] in ("write", "resize") and c[1] == i
                )
            case ("sync range", inode, int(start), int(end)):
                pending = _apply(
                    pending, data, names, lambda c, i=inode, s=start, e=end: _is_write_within(c, i, s, e)
                )
            case ("syncfs",):
                pending = _apply(pending, data, names, lambda _: True)
            case ("syncdir", path):
                pending = _apply(pending, data, names, lambda c, p=path: _is_name_in(c, str(p)))
            case ("mark", *_):
                pass
            case _:
                pending.append(change)
    for change in pending:
        for part in _parts(change):
            if choice():
                _apply_one(part, data, names)
    disk = SimulatedDisk()
    for path, inode in names.items():
        disk._names[path] = inode
        disk._data[inode] = data.get(inode, bytearray())
        disk._next = max(disk._next, inode)
        disk.log += [
            ("link", path, inode),
            ("resize", inode, 0),
            ("write", inode, 0, bytes(disk._data[inode])),
        ]
    disk.log.append(("syncfs",))
    return disk


def _apply(
    pending: list[Change], data: dict[int, bytearray], names: dict[str, int], wanted: Callable[[Change], bool]
) -> list[Change]:
    """Apply the wanted ones in their order; the others remain."""
    remaining = []
    for change in pending:
        if wanted(change):
            _apply_one(change, data, names)
        else:
            remaining.append(change)
    return remaining


def _apply_one(change: Change, data: dict[int, bytearray], names: dict[str, int]) -> None:
    match change:
        case ("write", int(inode), int(offset), bytes(content)):
            _write(data.setdefault(inode, bytearray()), offset, content)
        case ("resize", int(inode), int(size)):
            _resize(data.setdefault(inode, bytearray()), size)
        case ("link", str(path), int(inode)):
            names[path] = inode
        case ("rename", str(old), str(new), int(inode)):
            names.pop(old, None)
            names[new] = inode
        case ("unlink", str(path)):
            names.pop(path, None)


def _parts(change: Change) -> list[Change]:
    """A write may survive in any of its sectors."""
    match change:
        case ("write", int(inode), int(offset), bytes(content)):
            borders = [0, *range(SECTOR - offset % SECTOR, len(content), SECTOR), len(content)]
            spans = itertools.pairwise(borders)
            return [("write", inode, offset + start, content[start:end]) for start, end in spans]
    return [change]


def _is_write_within(change: Change, inode: object, start: int, end: int) -> bool:
    match change:
        case ("write", written, int(offset), bytes(content)):
            return written == inode and start <= offset and offset + len(content) <= end
    return False


def _is_name_in(change: Change, directory: str) -> bool:
    return change[0] in ("link", "rename", "unlink") and os.path.dirname(str(change[1])) == directory
