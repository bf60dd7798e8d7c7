"""Raw → Config: options parsed by their declarations, sections checked against each other.

Drivers and main options are found in the registries that declarations fill, so the modules that declare them must have been imported.
ACLs are compiled by a function that the flow hands in: this package never imports the flow. All problems are collected; one
ConfigError carries them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

from pillarbox.config.declare import MISSING, Driver, MainOptions, Option, main_options
from pillarbox.config.errors import ConfigError, OptionError, Position, Problem
from pillarbox.config.exim4 import parse_exim4
from pillarbox.config.model import Config
from pillarbox.config.raw import Raw, RawDriver, RawOption
from pillarbox.config.reader import RawLine, Reader
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.hosts import HostList
from pillarbox.language.match.local_parts import LocalPartList
from pillarbox.language.match.named import NamedLists
from pillarbox.language.retry.rules import RetryRules, RetrySyntaxError, parse_retry_rule
from pillarbox.language.rewrite.rules import RewriteRules, RewriteSyntaxError, parse_rewrite_rule

Report = Callable[[str, str, str], None]
"""(position as `file:line`, what is wrong, suggestion)."""


class AclCompiler(Protocol):
    """`lines`: (text, `file:line`) of each logical line below the label. Problems are reported, never raised."""

    def __call__(
        self, name: str, lines: Sequence[tuple[str, str]], named: NamedLists, report: Report
    ) -> object: ...


def _no_acls(name: str, lines: Sequence[tuple[str, str]], named: NamedLists, report: Report) -> object:
    return tuple(lines)


def load(
    path: Path, *, macros: Mapping[str, str] | None = None, acl_compiler: AclCompiler = _no_acls
) -> Config:
    """Read, parse and build the Exim 4 configuration in `path`. Raises ConfigError."""
    reader = Reader(macros)
    return build(parse_exim4(reader.read(path), reader.macros), acl_compiler=acl_compiler)


def load_text(text: str, *, name: str = "configuration", acl_compiler: AclCompiler = _no_acls) -> Config:
    """The same for a text in memory. Raises ConfigError."""
    reader = Reader()
    return build(parse_exim4(reader.read_text(text, name), reader.macros), acl_compiler=acl_compiler)


def build(raw: Raw, *, acl_compiler: AclCompiler = _no_acls) -> Config:
    """Raises ConfigError with everything that is wrong."""
    return _Builder(raw).build(acl_compiler)


class _Builder:
    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self.named = NamedLists()

    def build(self, acl_compiler: AclCompiler) -> Config:
        self._lists()
        main = self._main()
        transports = {driver.name: driver for driver in self._drivers("transport", self.raw.transports)}
        routers = self._drivers("router", self.raw.routers)
        authenticators = self._drivers("authenticator", self.raw.authenticators)
        acls = self._acls(acl_compiler)
        retry, rewrite = self._retry(), self._rewrite()
        self._check_transports(transports)
        self._check_routers()
        self._check_acls(main)
        if self.problems:
            raise ConfigError(tuple(sorted(self.problems, key=lambda problem: (problem.file, problem.line))))
        return Config(
            main=main,
            routers=tuple(routers),
            transports=transports,
            authenticators=tuple(authenticators),
            acls=acls,
            retry=retry,
            rewrite=rewrite,
            named=self.named,
            raw=self.raw,
            notes=tuple(self.notes),
        )

    def complain(self, position: Position, text: str, reason: str, suggestion: str = "") -> None:
        self.problems.append(Problem(position.file, position.line, text[:200], reason, suggestion))

    # Sections

    def _lists(self) -> None:
        for found in self.raw.lists:
            self.named.define(found.kind, found.name, found.source)
        compilers: dict[str, Callable[[str, NamedLists], Any]] = {
            "domain": DomainList.parse,
            "host": HostList.parse,
            "address": AddressList.parse,
            "localpart": LocalPartList.parse,
        }
        for found in self.raw.lists:
            try:
                self.named.get(found.kind, found.name, compilers[found.kind])
            except ListSyntaxError as error:
                self.complain(found.position, found.source, f"{found.kind}list {found.name}: {error.message}")

    def _main(self) -> dict[type[MainOptions], MainOptions]:
        known = main_options()
        values: dict[type[MainOptions], dict[str, Any]] = {cls: {} for cls in MainOptions.registry}
        declared = {name: option for name, (_, option) in known.items()}
        for raw, option, value in self._values(self.raw.main, declared, "main option"):
            values[known[raw.name][0]][option.place] = value
        made: dict[type[MainOptions], MainOptions] = {}
        for settings, given in values.items():
            instance = self._make(settings, given, self.raw.position, "the main section")
            if instance is not None:
                made[settings] = instance
        return made

    def _drivers(self, family: str, raws: Iterable[RawDriver]) -> list[Driver]:
        made: list[Driver] = []
        for raw in raws:
            driver = self._driver_class(family, raw)
            if driver is None:
                continue
            options = [option for option in raw.options if option.name != "driver"]
            given: dict[str, Any] = {"name": raw.name, "origin": raw.position}
            where = f"option of {family} {raw.name} (driver {driver.driver})"
            for _, option, value in self._values(options, driver.options(), where):
                given[option.place] = value
            instance = self._make(driver, given, raw.position, f"{family} {raw.name}")
            if instance is not None:
                made.append(instance)
        return made

    def _driver_class(self, family: str, raw: RawDriver) -> type[Driver] | None:
        registry = Driver.families[family].registry if family in Driver.families else {}
        chosen = next((option for option in raw.options if option.name == "driver"), None)
        if chosen is None or not chosen.value:
            self.complain(raw.position, f"{raw.name}:", f"{family} {raw.name} has no driver option")
            return None
        found = registry.get(chosen.value.strip())
        if found is None:
            self.complain(
                chosen.position,
                chosen.text,
                f"unknown {family} driver {chosen.value!r}",
                _meant(chosen.value, registry),
            )
        return found

    def _values(
        self, raws: Iterable[RawOption], declared: Mapping[str, Option], where: str
    ) -> Iterable[tuple[RawOption, Option, Any]]:
        seen: set[str] = set()
        for raw in raws:
            option = declared.get(raw.name)
            if option is None:
                self.complain(
                    raw.position, raw.text, f"unknown {where}: {raw.name}", _meant(raw.name, declared)
                )
                continue
            if raw.name in seen:
                self.complain(raw.position, raw.text, f"option {raw.name} is given twice")
                continue
            seen.add(raw.name)
            self._mind_inert(raw, option)
            try:
                yield raw, option, _parse(raw, option, self.named)
            except OptionError as error:
                self.complain(raw.position, raw.text, f"{raw.name}: {error}", error.suggestion)

    def _mind_inert(self, raw: RawOption, option: Option) -> None:
        """What we do not act on is never passed over in silence; what would restrict somebody is not passed over at all."""
        match option.inert:
            case "refused":
                self.complain(
                    raw.position,
                    raw.text,
                    f"{raw.name} is not supported yet, and mail would pass that it forbids",
                )
            case "noted":
                reason = f"{raw.name} is read, but has no effect yet"
                self.notes.append(Problem(raw.position.file, raw.position.line, raw.text[:200], reason))

    def _make(self, cls: type[Any], given: dict[str, Any], position: Position, where: str) -> Any:
        missing = [
            option.name
            for option in cls.options().values()
            if option.default is MISSING and option.default_factory is MISSING and option.place not in given
        ]
        if missing:
            self.complain(position, "", f"{where}: {', '.join(missing)} must be set")
            return None
        try:
            return cls(**given)
        except OptionError as error:
            name = f"{error.option}: " if error.option else ""
            self.complain(position, "", f"{where}: {name}{error}", error.suggestion)
            return None

    def _acls(self, compile_acl: AclCompiler) -> dict[str, object]:
        def report(position: str, reason: str, suggestion: str) -> None:
            file, _, line = position.rpartition(":")
            number = int(line) if line.isdigit() else 0
            text = next((found.text for found in lines if str(found.position) == position), "")
            self.complain(Position(file, number), text, reason, suggestion)

        made: dict[str, object] = {}
        for name, acl in self.raw.acls.items():
            lines = acl.lines
            made[name] = compile_acl(
                name, [(line.text, str(line.position)) for line in lines], self.named, report
            )
        return made

    def _retry(self) -> RetryRules:
        rules = []
        for line in self.raw.retry:
            try:
                rules.append(parse_retry_rule(line.text, self.named))
            except RetrySyntaxError as error:
                self._line_problem(line, f"retry rule: {error}")
        return RetryRules(tuple(rules))

    def _rewrite(self) -> RewriteRules:
        rules = []
        for line in self.raw.rewrite:
            try:
                rules.append(parse_rewrite_rule(line.text, self.named))
            except (RewriteSyntaxError, ExpandSyntaxError, ListSyntaxError) as error:
                self._line_problem(line, f"rewrite rule: {error}")
        return RewriteRules(tuple(rules))

    def _line_problem(self, line: RawLine, reason: str) -> None:
        self.complain(line.position, line.text, reason)

    # Sections against each other

    def _check_transports(self, transports: Mapping[str, Driver]) -> None:
        known = {raw.name for raw in self.raw.transports}
        for raw in self.raw.routers:
            for option in raw.options:
                is_reference = option.name == "transport" or option.name.endswith("_transport")
                if not is_reference or not option.value or "$" in option.value:
                    continue
                if option.value.strip() not in known:
                    self.complain(
                        option.position,
                        option.text,
                        f"there is no transport {option.value!r}",
                        _meant(option.value, known),
                    )

    def _check_routers(self) -> None:
        known = {raw.name for raw in self.raw.routers}
        for raw in self.raw.routers:
            for option in raw.options:
                if (
                    option.name in ("redirect_router", "pass_router")
                    and (option.value or "").strip() not in known
                ):
                    self.complain(
                        option.position,
                        option.text,
                        f"there is no router {option.value!r}",
                        _meant(option.value or "", known),
                    )

    def _check_acls(self, main: Mapping[type[MainOptions], MainOptions]) -> None:
        for option in self.raw.main:
            name = option.value
            if not option.name.startswith("acl_") or not name or not name.isidentifier():
                continue
            if name not in self.raw.acls:
                self.complain(
                    option.position, option.text, f"there is no ACL {name!r}", _meant(name, self.raw.acls)
                )


def _parse(raw: RawOption, option: Option, named: NamedLists) -> Any:
    kind = option.kind
    if kind.is_boolean:
        if raw.is_negated:
            return False
        return kind.parse(raw.value or "", named)
    if raw.is_negated:
        raise OptionError("only a boolean option can be negated")
    if raw.value is None:
        raise OptionError("= and a value are missing")
    return kind.parse(raw.value, named)


def _meant(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word.strip(), list(known), 1)
    return f"did you mean {close[0]}?" if close else ""
