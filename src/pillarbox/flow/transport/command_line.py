"""Commands of pipes and transport filters: divided into arguments first, each expanded by itself (Exim 29.3).

No value can become two arguments or a shell's words. The arguments `$pipe_addresses` and, with `force_command`, `$address_pipe` stand for
several. What is tainted is refused wherever it stands, but for the addresses themselves: they are whole arguments. What a filter found
(`$1`, `$thisaddress`) may be an argument, as in Exim, but neither the program nor, unlike Exim, a text that a shell reads behind `-c`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated

import msgspec

from pillarbox.config.kinds import Kind
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionFailed
from pillarbox.language.expand.items.run import words
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import is_tainted, like, plain
from pillarbox.language.expand.template import Template

MAX_ARGUMENTS = 61
_ADDRESSES = "$pipe_addresses"
_REDIRECTED = "$address_pipe"
_SHELLS = frozenset({"sh", "ash", "bash", "csh", "dash", "fish", "ksh", "mksh", "tcsh", "zsh"})


class CommandText(msgspec.Struct, frozen=True):
    """A command as it is written. As a whole it need not be an expansion: only its arguments must be, once their quotes are off."""

    source: str


CommandOption = Annotated[
    CommandText,
    Kind(
        "expanded string", lambda text, named: CommandText(text), lambda value: value.source if value else ""
    ),
]
"""How an option is written that holds one."""


class CommandError(Exception):
    """`str()` is Exim's text. `is_permanent`: fail, not defer. `is_panic`: the configuration is to blame."""

    def __init__(self, text: str, *, is_permanent: bool = False, is_panic: bool = False) -> None:
        super().__init__(text)
        self.is_permanent = is_permanent
        self.is_panic = is_panic


class CommandLine(msgspec.Struct, frozen=True):
    """One command, ready to be expanded. `who` runs it: `x transport`, `transport filter`."""

    source: str
    who: str
    parts: tuple[Template | str, ...]
    """A str stands as it is, or is one of the two names for several arguments."""

    @classmethod
    def parse(cls, source: str, who: str, *, expands: bool = True) -> CommandLine:
        """Raises CommandError."""
        return cls(source, who, _parts(source, who, expands))

    async def arguments(
        self,
        scope: Scope,
        addresses: Sequence[str],
        redirected: str | None = None,
        strict_scope: Scope | None = None,
    ) -> tuple[str, ...]:
        """`redirected`: the command that `$address_pipe` stands for. `strict_scope`: for the program, and for what a shell will read.

        Raises CommandError, ExpansionDeferred.
        """
        found: list[str] = []
        for part in self.parts:
            if isinstance(part, Template):
                is_risky = strict_scope is not None and (not found or _is_read_by_shell(found))
                text = await self._expanded(part, strict_scope if is_risky and strict_scope else scope)
                found.append(self._checked(text, len(found)))
            elif part == _ADDRESSES:
                found.extend(plain(address) for address in addresses)
            elif part == _REDIRECTED and redirected is not None:
                for word in _divided(redirected, self.who):
                    found.append(self._checked(like(word, redirected), len(found)))
            else:
                found.append(part)
        return tuple(found)

    def _checked(self, text: str, number: int) -> str:
        if is_tainted(text):
            reason = f"Tainted arg {number} for {self.who} command: '{text}'"
            raise CommandError(reason, is_permanent=True)
        return plain(text)

    async def _expanded(self, part: Template, scope: Scope) -> str:
        try:
            return await part.expand(scope)
        except ExpansionFailed as error:
            text = _failed(part.source, self.source, self.who, str(error))
            raise CommandError(text, is_panic=True) from None


def _is_read_by_shell(arguments: Sequence[str]) -> bool:
    """Whether what comes behind them is, or may be, the text of a shell's command."""
    name = arguments[0].rpartition("/")[2]
    return name in _SHELLS and any(word[:1] == "-" and "c" in word for word in arguments[1:])


def _failed(word: str, source: str, who: str, why: str) -> str:
    return f'Expansion of "{_quoted(word)}" from command "{_quoted(source)}" in {who} failed: {why}'


def _quoted(source: str) -> str:
    return source.replace("\\", "\\\\").replace('"', '\\"')


@lru_cache(maxsize=256)
def _parts(source: str, who: str, expands: bool) -> tuple[Template | str, ...]:
    parts: list[Template | str] = []
    for word in _divided(source, who):
        if not expands or word in (_ADDRESSES, _REDIRECTED):
            parts.append(word)
            continue
        try:
            template = Template.parse(word)
        except ExpandSyntaxError as error:
            raise CommandError(_failed(word, source, who, error.message), is_panic=True) from None
        parts.append(word if template.node.constant == word else template)
    return tuple(parts)


def _divided(source: str, who: str) -> list[str]:
    try:
        found = words(source)
    except ExpansionFailed:
        found = [""] * (MAX_ARGUMENTS + 1)
    if len(found) > MAX_ARGUMENTS:
        raise CommandError(f'Too many arguments in command "{source}" in {who}', is_permanent=True)
    return found
