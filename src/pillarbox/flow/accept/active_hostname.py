"""Our name for one client (Exim 14, smtp_active_hostname)."""

from __future__ import annotations

from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template


async def active_hostname(template: Template, scope: Scope) -> str:
    """Empty: the usual one. Raises ExpansionFailed, ExpansionDeferred."""
    return (await template.expand(scope)).strip()


def failure(template: Template, error: Exception) -> str:
    """What the log says where it cannot be found out."""
    return f'failed to expand "{template.source}" (smtp_active_hostname): {error}'
