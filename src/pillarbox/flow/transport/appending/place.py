"""Where appendfile writes: by its own option, or what redirection named (Exim 26.1). Tainted names are refused."""

from __future__ import annotations

from typing import Protocol

import msgspec

from pillarbox.flow.route.result import Assignment
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import is_tainted, plain
from pillarbox.language.expand.template import Template


class BadPlace(Exception):
    """A name that must not be written to. `str()` is Exim's, for the log."""


class BadName(Exception):
    """A name that is no absolute path. Likewise; but no panic, since users can write such names in their filters."""


class PlaceOptions(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def file(self) -> Template | None: ...
    @property
    def directory(self) -> Template | None: ...
    @property
    def maildir_format(self) -> bool: ...
    @property
    def mailstore_format(self) -> bool: ...
    @property
    def create_file(self) -> str: ...


class Place(msgspec.Struct, frozen=True):
    path: str
    is_directory: bool
    create_below: str
    """Empty: anywhere."""
    create_strictly: bool


async def place_of(options: PlaceOptions, assignment: Assignment, scope: Scope, home: str) -> Place:
    """Raises BadPlace, BadName, ExpansionDeferred."""
    template = options.file or options.directory
    if template is not None:
        path = await _expanded(template, scope, options.name)
    elif assignment.file:
        path = assignment.file
    else:
        raise BadPlace(f"Mandatory file or directory option missing from {options.name} transport")
    if not path.startswith("/"):
        raise BadName(f'appendfile: file or directory name "{path}" is not absolute')
    below, strictly = _bounds(options.create_file, home)
    if is_tainted(path) and not (strictly and _is_within(path, below)):
        raise BadPlace(
            f"Tainted '{path}' (file or directory name for {options.name} transport) not permitted"
        )
    path = plain(path)
    if "\0" in path:
        raise BadName(f'appendfile: file or directory name "{path!r}" holds a NUL')
    is_directory = (
        options.directory is not None
        or options.maildir_format
        or options.mailstore_format
        or (options.file is None and path.endswith("/"))
    )
    return Place(path, is_directory, below, strictly)


def _bounds(create_file: str, home: str) -> tuple[str, bool]:
    """Without a home directory nothing is checked."""
    if create_file == "inhome":
        return home, False
    if create_file == "belowhome":
        return home, bool(home)
    return ("", False) if create_file == "anywhere" else (create_file, True)


def _is_within(path: str, below: str) -> bool:
    return path.startswith(below.rstrip("/") + "/") and ".." not in path.split("/")


async def _expanded(template: Template, scope: Scope, name: str) -> str:
    try:
        if template.is_pure:
            return template.expand_now(scope)
        return await template.expand(scope)
    except ExpansionFailed as error:
        text = (
            f'Expansion of "{template.source}" (file or directory name for {name} transport) failed: {error}'
        )
        raise BadPlace(text) from None
