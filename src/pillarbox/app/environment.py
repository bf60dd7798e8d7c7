"""The environment that the configuration leaves: what `keep_environment` names, and what `add_environment` sets (Exim 14.23)."""

from __future__ import annotations

from collections.abc import Mapping

from pillarbox.config.model import Config
from pillarbox.flow.settings import Environment
from pillarbox.language.match.items import split
from pillarbox.language.match.strings import StringList
from pillarbox.language.nowhere import empty_scope


def kept_environment(config: Config, present: Mapping[str, str]) -> dict[str, str]:
    """Name → value; an item of `add_environment` without `=` has an empty value."""
    settings = config.main(Environment)
    kept: dict[str, str] = {}
    if settings.keep_environment:
        names = StringList.parse(settings.keep_environment, config.named)
        scope = empty_scope()
        kept = {name: value for name, value in present.items() if names.matches_now(name, scope)}
    for item, _ in split(settings.add_environment or ""):
        name, _, value = item.partition("=")
        kept[name] = value
    return kept
