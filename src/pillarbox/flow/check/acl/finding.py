"""Which ACL a text means (Exim 44.3): the name of one, a file that holds one, or the ACL itself.

Files are read once and kept, as Exim keeps them; a reload forgets them. Bounded: size of a file, how many are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from pillarbox.config.errors import ConfigError
from pillarbox.config.reader import Reader
from pillarbox.flow.check.acl.program import Acl
from pillarbox.flow.check.acl.state import AclState, TaintedAcl, not_expanded
from pillarbox.flow.check.acl.syntax import compile_acl
from pillarbox.flow.check.verdict import Accept, Defer, Verdict
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.reply import Reason
from pillarbox.mail.taint import is_tainted

MAX_FILE = 1024 * 1024
MAX_KEPT = 200


class AclFinder:
    """Made once per configuration."""

    def __init__(self, acls: Mapping[str, Acl], named: NamedLists) -> None:
        self._acls = dict(acls)
        self._named = named
        self._kept: OrderedDict[str, Acl] = OrderedDict()

    def named(self, name: str) -> Acl | None:
        return self._acls.get(name)

    def find(self, text: str) -> Acl:
        """Raises ExpansionFailed, in Exim's words where it has some."""
        if is_tainted(text):
            raise TaintedAcl(f'attempt to use tainted ACL text "{text}"')
        text = text.strip()
        found = self._acls.get(text) or self._kept.get(text)
        if found is None:
            found = self._read(Path(text)) if text.startswith("/") else self._compile(text, "inline ACL")
            self._kept[text] = found
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return found

    def _read(self, path: Path) -> Acl:
        try:
            if path.stat().st_size > MAX_FILE:
                raise ExpansionFailed(f'ACL file "{path}" is larger than {MAX_FILE} bytes')
            text = path.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            raise ExpansionFailed(f'failed to open ACL file "{path}": {error.strerror}') from None
        return self._compile(text, str(path))

    def _compile(self, text: str, name: str) -> Acl:
        problems: list[str] = []

        def report(position: str, reason: str, suggestion: str, inert: str = "") -> None:
            if inert not in ("late", "noted"):
                problems.append(reason)

        try:
            lines = [(line.text, str(line.position)) for line in Reader().read_text(text, name)]
        except ConfigError as error:
            raise ExpansionFailed(str(error)) from None
        acl = compile_acl(name, lines, self._named, report)
        if problems:
            raise ExpansionFailed(problems[0])
        return acl


class ChosenAcl:
    """An `acl_…` option whose text is expanded each time it is used. Runs like an ACL."""

    __slots__ = ("_finder", "_template")

    def __init__(self, template: Template, finder: AclFinder) -> None:
        self._template = template
        self._finder = finder

    async def is_nothing(self, scope: Scope) -> bool:
        """The text is empty here: for this client there is no ACL. Raises ExpansionFailed, ExpansionDeferred."""
        try:
            return not (await self._template.expand(scope)).strip()
        except ForcedFailure:
            return True

    async def run(self, state: AclState) -> Verdict:
        """The verdict; an ACL that cannot be found defers."""
        try:
            text = await self._template.expand(state.scope)
        except ForcedFailure:
            return Accept()
        except (ExpansionFailed, ExpansionDeferred) as error:
            return Defer(Reason(str(not_expanded(self._template, error))))
        try:
            acl = self._finder.find(text)
        except TaintedAcl as error:
            state.panic(str(error))
            return Defer(Reason("internal configuration error"))
        except (ExpansionFailed, ExpansionDeferred) as error:
            return Defer(Reason(str(error)))
        return await acl.run(state)
