"""`logwrite` (Exim 44.12): a line in the main log at once."""

from __future__ import annotations

from pillarbox.flow.check.acl.state import AclState, expand_argument
from pillarbox.flow.check.acl.templated import TemplateModifier
from pillarbox.wire.exim.log_line import printable

LOGS = ("main", "panic", "reject")


class Logwrite(TemplateModifier, modifier="logwrite"):
    __slots__ = ()

    async def apply(self, state: AclState) -> None:
        targets, text = _split(await expand_argument(self._template, state), state)
        line, log = "\t".join(map(printable, text.split("\t"))), state.services.log
        if "main" in targets:
            state.log(line, log.main)
        describe = state.memory.describe_message
        if "reject" in targets:
            state.log(line if describe is None else f"{line}\n{describe()}", log.reject)
        if "panic" in targets:
            state.log(line, log.panic_only)


def _split(text: str, state: AclState) -> tuple[set[str], str]:
    """`:main,reject: text`: (logs, text)."""
    if not text.startswith(":"):
        return {"main"}, text.lstrip(" \t")
    names, _, rest = text[1:].partition(":")
    targets = set()
    for name in names.split(","):
        if name.strip() not in LOGS:
            state.panic(f'unknown log name in "{text}" in "logwrite" in {state.where.upper()} ACL')
            return set(), ""
        targets.add(name.strip())
    return targets, rest.lstrip(" \t")
