"""How much a mailbox may hold: quota options expanded to numbers (Exim 26.2)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Protocol

from pillarbox.flow.transport.appending.place import BadName
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.ports.userfiles import Quota

_NUMBER = re.compile(r"\s*(-?\d+(?:\.\d*)?)([KMG]?)(%?)\s*(/.*)?", re.DOTALL)
_MOST = (1 << 63) - 1
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class BadLimit(Exception):
    """`str()` is Exim's text, for the log."""


class LimitOptions(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def quota(self) -> Template | None: ...
    @property
    def quota_filecount(self) -> Template | None: ...
    @property
    def quota_directory(self) -> Template | None: ...
    @property
    def quota_warn_threshold(self) -> Template | None: ...
    @property
    def quota_is_inclusive(self) -> bool: ...
    @property
    def mailbox_size(self) -> Template | None: ...
    @property
    def mailbox_filecount(self) -> Template | None: ...


async def quota_of(options: LimitOptions, scope: Scope, *, keeps_size_file: bool) -> Quota | None:
    """None: nothing is to be counted. Raises BadLimit, BadName, ExpansionDeferred."""
    size, size_forced, _ = await _number(options.quota, "quota", options.name, scope)
    files, files_forced, _ = await _number(options.quota_filecount, "quota_filecount", options.name, scope)
    warn, _, is_percent = await _number(
        options.quota_warn_threshold, "quota_warn_threshold", options.name, scope
    )
    if is_percent:
        if warn >= 100:
            raise BadLimit(f"Invalid quota_warn_threshold percentage ({warn}) for {options.name} transport")
        warn = size * warn // 100
    if not (size or files or warn or keeps_size_file):
        return None
    return Quota(
        size=size,
        files=files,
        is_inclusive=options.quota_is_inclusive,
        size_forced=size_forced,
        files_forced=files_forced,
        warn_size=warn,
        directory=await _directory(options, scope),
        known_size=await _known(options.mailbox_size, "mailbox_size", options.name, scope),
        known_files=await _known(options.mailbox_filecount, "mailbox_filecount", options.name, scope),
        keeps_size_file=keeps_size_file,
    )


async def _number(template: Template | None, option: str, name: str, scope: Scope) -> tuple[int, bool, bool]:
    """(the number, whether `no_check` stands behind it, whether it is a percentage)."""
    if template is None:
        return 0, False, False
    text = await _expanded(template, option, name, scope)
    found = _NUMBER.fullmatch(text)
    if found is None:
        if not text.strip():
            return 0, False, False
        raise _malformed(text, template, name)
    if found[3] and option != "quota_warn_threshold":
        raise _malformed(text, template, name)
    number = max(0, min(int(Decimal(found[1]) * _UNITS[found[2]]), _MOST))
    return number, "no_check" in (found[4] or ""), bool(found[3])


def _malformed(text: str, template: Template, name: str) -> BadLimit:
    return BadLimit(f'Malformed value "{text}" (expansion of "{template.source}") in {name} transport')


async def _known(template: Template | None, option: str, name: str, scope: Scope) -> int:
    if template is None:
        return -1
    return (await _number(template, option, name, scope))[0]


async def _directory(options: LimitOptions, scope: Scope) -> str:
    if options.quota_directory is None:
        return ""
    try:
        path = await options.quota_directory.expand(scope)
    except ExpansionFailed as error:
        source = options.quota_directory.source
        raise BadLimit(
            f'Expansion of "{source}" (quota_directory name for {options.name} transport) failed: {error}'
        ) from None
    if not path.startswith("/"):
        raise BadName(f'appendfile: quota_directory name "{path}" is not absolute')
    return str(path)


async def _expanded(template: Template, option: str, name: str, scope: Scope) -> str:
    try:
        return await template.expand(scope)
    except ExpansionFailed as error:
        raise BadLimit(f'Expansion of "{template.source}" in {name} transport failed: {error}') from None
