"""`skip_syntax_errors`: what is wrong in a list is passed over, written to the log, and told to `syntax_errors_to` (Exim 22.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pillarbox.flow.route.generating import Stop
from pillarbox.flow.route.result import Letter, LogLine
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.taint import plain
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.texts import quoted

if TYPE_CHECKING:
    from pillarbox.flow.route.routers.redirect import Redirect

SUBJECT = "error(s) in forwarding or filtering"


class Mistake(NamedTuple):
    """`item`: what it is about; empty: the whole filter."""

    why: str
    item: str = ""

    def __str__(self) -> str:
        return f"{self.why} in {quoted(self.item)}" if self.item else self.why


async def tell_of(mistakes: Sequence[Mistake], router: Redirect, visit: Visit, *, has_children: bool) -> None:
    """Writes to the log, and a letter when the message is being delivered. Raises Stop."""
    visit.log += [LogLine(f"{router.name} router: skipped error: {mistake}") for mistake in mistakes]
    if router.syntax_errors_to is None or visit.purpose != "deliver":
        return
    to = await _expanded(router.syntax_errors_to, router, visit, mistakes)
    if not to:
        return
    text = await _expanded(router.syntax_errors_text, router, visit, mistakes)
    text += "\n\n" if text else ""
    text += f"The {router.name} router encountered the following error(s):\n\n"
    for mistake in mistakes:
        about = f" in the address\n  {quoted(mistake.item)}" if mistake.item else ""
        text += f"  {mistake.why}{about}\n\n"
    text += (
        "Other addresses were processed normally.\n"
        if has_children
        else "No valid addresses were generated.\n"
    )
    visit.letters.append(Letter(plain(to), SUBJECT, text))


async def _expanded(
    template: Template | None, router: Redirect, visit: Visit, mistakes: Sequence[Mistake]
) -> str:
    """Raises Stop: where nobody can be told, the address waits."""
    if template is None:
        return ""
    try:
        return await visit.expand(template)
    except (ForcedFailure, ExpansionFailed, ExpansionDeferred) as error:
        visit.log.append(LogLine(f"{router.name} router failed to expand {template.source}: {error}"))
        raise Stop(router.postpone(visit, mistakes[0].why, error="expansion")) from None
