"""`av_scanner` and `spamd_address`: texts that are expanded only when they begin with a dollar, so that expressions in them may hold others."""

from __future__ import annotations

from functools import lru_cache

from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template


class SettingFailed(Exception):
    """`str()` says why."""


async def expand_setting(text: str, scope: Scope) -> str:
    """Raises SettingFailed."""
    try:
        return await _template(text).expand(scope)
    except (ExpandSyntaxError, ExpansionFailed, ExpansionDeferred) as error:
        raise SettingFailed(str(error)) from None


@lru_cache(maxsize=8)
def _template(text: str) -> Template:
    """Raises ExpandSyntaxError."""
    return Template.parse(text)
