"""How much a mailbox may hold: quota options expanded to numbers (Exim 26.2)."""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from pillarbox.flow.transport.appending.place import BadName
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.ports.userfiles import Quota

_NUMBER = re.compile(
    r"\s*([+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))(?:([KMGkmg])|(%))?(/no_check)?\s*"
)
"""As strtod(3) reads it, and what Exim allows behind."""
_MOST = (1 << 63) - 1
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_UNCHECKABLE = frozenset(("quota", "quota_filecount"))
"""Options that may end in `/no_check`."""


class _Limit(NamedTuple):
    number: int
    is_unchecked: bool = False
    is_percent: bool = False


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
    size = await _limit(options.quota, "quota", options.name, scope)
    files = await _limit(options.quota_filecount, "quota_filecount", options.name, scope)
    warn = await _limit(options.quota_warn_threshold, "quota_warn_threshold", options.name, scope)
    warn_size = max(0, warn.number)
    if warn.is_percent:
        if not 0 <= warn.number <= 100:
            text = f"Invalid quota_warn_threshold percentage ({warn.number}) for {options.name} transport"
            raise BadLimit(text)
        warn_size = max(0, size.number) * warn.number // 100
    known_size = await _known(options.mailbox_size, "mailbox_size", options.name, scope)
    known_files = await _known(options.mailbox_filecount, "mailbox_filecount", options.name, scope)
    if not (size.number > 0 or files.number > 0 or warn_size or keeps_size_file):
        return None
    return Quota(
        size=max(0, size.number),
        files=max(0, files.number),
        is_inclusive=options.quota_is_inclusive,
        size_forced=size.is_unchecked,
        files_forced=files.is_unchecked,
        warn_size=warn_size,
        directory=await _directory(options, scope),
        known_size=known_size,
        known_files=known_files,
        keeps_size_file=keeps_size_file,
    )


async def _limit(template: Template | None, option: str, name: str, scope: Scope) -> _Limit:
    """Raises BadLimit, ExpansionDeferred."""
    if template is None:
        return _Limit(0)
    text = await _expanded(template, option, name, scope)
    found = _NUMBER.fullmatch(text)
    if found is None:
        if not text.strip():
            return _Limit(0)
        raise _malformed(text, template, name)
    is_allowed = option == "quota_warn_threshold" or not found[3]
    if not is_allowed or (found[4] and option not in _UNCHECKABLE):
        raise _malformed(text, template, name)
    number = float(int(found[1], 16)) if "x" in found[1].lower() else float(found[1])
    number = min(max(number * _UNITS[(found[2] or "").upper()], -float(_MOST)), float(_MOST))
    return _Limit(min(int(number), _MOST), bool(found[4]), bool(found[3]))


def _malformed(text: str, template: Template, name: str) -> BadLimit:
    return BadLimit(f'Malformed value "{text}" (expansion of "{template.source}") in {name} transport')


async def _known(template: Template | None, option: str, name: str, scope: Scope) -> int:
    if template is None:
        return -1
    return max(0, (await _limit(template, option, name, scope)).number)


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
