"""Keywords of one mailbox: letters `a` to `z` in file names, their meaning in the file `dovecot-keywords`.

The file is Dovecot's (`0 $Forwarded` a line), so that both programs see the same keywords. The 27th keyword and later ones have no
letter and live in the index only. A letter's meaning never changes while the file exists.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from pillarbox.backends.mailstore.maildir import filename

FILE = b"dovecot-keywords"
LIMIT = 26
_MAX_FILE = 65536


class Keywords:
    """`is_stale` is decided by the file's mtime, once per scan."""

    __slots__ = ("_numbers", "_path", "_seen", "_words")

    def __init__(self, directory: bytes) -> None:
        self._path = os.path.join(directory, FILE)
        self._words: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._seen: tuple[int, int] = (0, 0)

    def refresh(self) -> bool:
        """Read the file if it has changed; whether it had."""
        seen = self._look()
        if seen == self._seen:
            return False
        self._read()
        self._seen = seen
        return True

    def _look(self) -> tuple[int, int]:
        try:
            status = os.stat(self._path)
        except OSError:
            return (0, 0)
        return (status.st_mtime_ns, status.st_ino)

    def _read(self) -> None:
        words: dict[int, str] = {}
        with contextlib.suppress(OSError), open(self._path, "rb") as file:
            for line in file.read(_MAX_FILE).splitlines():
                number, _, word = line.partition(b" ")
                if number.isdigit() and int(number) < LIMIT and word.isascii() and word:
                    words[int(number)] = word.decode("ascii")
        self._words = words
        self._numbers = {word: number for number, word in words.items()}

    def flags(self, letters: bytes, kept: Iterable[str] = ()) -> frozenset[str]:
        """What letters mean, with those of `kept` (flags in the index) that no letter can bear."""
        flags = filename.system_flags(letters)
        flags.update(
            self._words[number] for number in filename.keyword_numbers(letters) if number in self._words
        )
        flags.update(flag for flag in kept if not flag.startswith("\\") and flag not in self._numbers)
        return frozenset(flags)

    def letters(self, flags: frozenset[str], old: bytes = b"") -> bytes:
        """Letters for a file name. Call `learn` first."""
        numbers = [self._numbers[flag] for flag in flags if flag in self._numbers]
        unknown = [number for number in filename.keyword_numbers(old) if number not in self._words]
        return filename.letters_for(flags, bytes(97 + number for number in numbers + unknown), old)

    def learn(self, flags: Iterable[str]) -> None:
        """Give letters to keywords that have none. Without success (26 are taken, the file is locked or unwritable) they stay in
        the index."""
        new = [flag for flag in flags if not flag.startswith("\\") and flag not in self._numbers]
        if new and len(self._words) < LIMIT:
            with contextlib.suppress(OSError):
                self._add(sorted(new))

    def _add(self, words: list[str]) -> None:
        lock = self._path + b".lock"  # Dovecot's own dot lock, which then becomes the file
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with open(descriptor, "wb") as file:
                self._read()
                for word in words:
                    if word not in self._numbers and (free := self._free_number()) is not None:
                        self._words[free] = word
                        self._numbers[word] = free
                file.writelines(b"%d %b\n" % (n, self._words[n].encode()) for n in sorted(self._words))
            os.rename(lock, self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(lock)
            raise
        self._seen = self._look()

    def _free_number(self) -> int | None:
        return next((number for number in range(LIMIT) if number not in self._words), None)
