"""Where a run's data lie: apart, so that no server pays for another's debris.

ext4 does not give out an inode again for minutes after it was freed, and making a file in a block group with many such inodes costs
ten times the CPU (it looks at each). A server that follows one which deleted its queue files would pay for them. So every server's
folder gets block groups of its own (the "top of directory hierarchies" flag, `chattr +T`, on the run's folder), and nothing is removed before
the last round has ended. The place follows from a hash of the folder's name, so each run needs names of its own, lest it meets what the
run before it removed.
"""

import contextlib
import fcntl
import os
import struct
from pathlib import Path

FS_IOC_GETFLAGS = 0x80086601
FS_IOC_SETFLAGS = 0x40086602
FS_TOPDIR_FL = 0x00020000


def spread_folders(parent: Path) -> None:
    """Give each folder made in `parent` a place of its own on the disk, where the file system knows how (ext4)."""
    descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            flags = struct.unpack("I", fcntl.ioctl(descriptor, FS_IOC_GETFLAGS, b"\0" * 8)[:4])[0]
            fcntl.ioctl(descriptor, FS_IOC_SETFLAGS, struct.pack("Q", flags | FS_TOPDIR_FL))
    finally:
        os.close(descriptor)
