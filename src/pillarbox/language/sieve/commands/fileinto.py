"""`fileinto` (RFC 5228 §4.1). A folder is a path to Exim: one that climbs (`..`) is refused, as are control characters."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.language.sieve.copying import takes_copy
from pillarbox.language.sieve.parser import Parser
from pillarbox.language.sieve.registry import command
from pillarbox.language.sieve.run import Run
from pillarbox.language.sieve.texts import has_controls


@dataclass(frozen=True, slots=True)
class FileInto:
    folder: str
    is_copy: bool
    position: int

    def run(self, run: Run) -> None:
        run.store(self.folder, self.position)
        if not self.is_copy:
            run.keeps = False


@command("fileinto", needs="fileinto", acts_at_once=True)
def parse_fileinto(parser: Parser) -> FileInto:
    is_copy = takes_copy(parser)
    folder = parser.string("missing fileinto folder string")
    if not folder or ".." in folder.split("/") or has_controls(folder):
        raise parser.scanner.error("invalid folder")
    return FileInto(folder, is_copy, parser.scanner.at)
