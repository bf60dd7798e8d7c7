"""Raw → Config: options parsed by their declarations, sections checked against each other.

Drivers and main options are found in the registries that declarations fill, so the modules that declare them must have been imported.
ACLs are compiled by a function that the flow hands in: this package never imports the flow. All problems are collected; one
ConfigError carries them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

from pillarbox.config.builtin import BuiltinMacros
from pillarbox.config.declare import MISSING, Driver, MainOptions, Option, main_options
from pillarbox.config.dialects import parse
from pillarbox.config.errors import CombinationError, ConfigError, EarlyError, OptionError, Position, Problem
from pillarbox.config.findings import Findings
from pillarbox.config.model import Config
from pillarbox.config.numbers import NAME
from pillarbox.config.raw import Raw, RawDriver, RawOption
from pillarbox.config.reader import RawLine, Reader
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.hosts import HostList
from pillarbox.language.match.items import split
from pillarbox.language.match.local_parts import LocalPartList
from pillarbox.language.match.named import NamedLists
from pillarbox.language.retry.rules import RetryRules, RetrySyntaxError, parse_retry_rule
from pillarbox.language.rewrite.rules import RewriteRules, RewriteSyntaxError, parse_rewrite_rule


class Report(Protocol):
    def __call__(self, position: str, reason: str, suggestion: str, inert: str = "") -> None:
        """`position`: `file:line`. `inert`: nothing is wrong, but it is not acted on yet (`noted`, `refused`), or what is wrong is said when
        mail comes (`late`)."""


ACL_VERBS = frozenset(["accept", "defer", "deny", "discard", "drop", "require", "warn"])
"""One of them alone is an ACL written where it is used (Exim 44.3)."""


class AclCompiler(Protocol):
    """`lines`: (text, `file:line`) of each logical line below the label. Problems are reported, never raised."""

    def __call__(
        self, name: str, lines: Sequence[tuple[str, str]], named: NamedLists, report: Report
    ) -> object: ...


def _no_acls(name: str, lines: Sequence[tuple[str, str]], named: NamedLists, report: Report) -> object:
    return tuple(lines)


DriverFinder = Callable[[str, str], object]
"""(family, driver): import the file that declares it, if it is there; without a driver, all of the family."""


def load(
    path: Path,
    *,
    macros: Mapping[str, str] | None = None,
    builtin: BuiltinMacros | None = None,
    acl_compiler: AclCompiler = _no_acls,
    find_driver: DriverFinder | None = None,
) -> Config:
    """Read, parse and build the configuration in `path`, whatever its dialect. Raises ConfigError."""
    reader = Reader(macros, builtin)
    return build(parse(reader.read(path), reader), acl_compiler=acl_compiler, find_driver=find_driver)


def build(
    raw: Raw, *, acl_compiler: AclCompiler = _no_acls, find_driver: DriverFinder | None = None
) -> Config:
    """Raises ConfigError with everything that is wrong."""
    return _Builder(raw, find_driver).build(acl_compiler)


class _Builder:
    def __init__(self, raw: Raw, find_driver: DriverFinder | None = None) -> None:
        self.raw = raw
        self._find_driver = find_driver
        self.notes: list[Problem] = list(raw.notes)
        self.unsupported: list[Problem] = []
        self.mistakes: list[Problem] = []
        self.late: list[Problem] = []
        self.named = NamedLists()
        self._found = Findings(raw)

    @property
    def problems(self) -> list[Problem]:
        return self._found.in_order()

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
        self._check_authenticators(authenticators)
        self._check_acls(main)
        if problems := self.problems:
            raise ConfigError((*problems, *self.mistakes, *self.late))
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
            unsupported=tuple(self.unsupported),
            mistakes=tuple(self.mistakes),
            late=tuple(self.late),
        )

    def complain(
        self, position: Position, text: str, reason: str, suggestion: str = "", *, exim: str = ""
    ) -> None:
        self._found.add(position, text, reason, suggestion, exim)

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
                reason = f"{found.kind}list {found.name}: {error.message}"
                self.complain(found.position, found.source, reason, error.suggestion)

    def _main(self) -> dict[type[MainOptions], MainOptions]:
        known = main_options()
        values: dict[type[MainOptions], dict[str, Any]] = {cls: {} for cls in MainOptions.registry}
        declared = {name: option for name, (_, option) in known.items()}
        for option, value in self._values(self.raw.main, declared, 'main option "{}" unknown'):
            values[known[option.name][0]][option.place] = value
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
            options = self._options_of(raw, Driver.families[family].options())
            given: dict[str, Any] = {"name": raw.name, "origin": raw.position}
            for option, value in self._values(options, driver.options(), 'option "{}" unknown'):
                given[option.place] = value
            instance = self._make(driver, given, raw.position, f"{family} {raw.name}")
            if instance is not None:
                made.append(instance)
        return made

    def _options_of(self, raw: RawDriver, generic: Mapping[str, Option]) -> list[RawOption]:
        """All but `driver`. Private options belong to a driver, so it must have been named before them (Exim 6.21)."""
        found: list[RawOption] = []
        is_known = False
        for option in raw.options:
            if option.name == "driver" and not option.is_negated:
                is_known = True
            elif is_known or option.name in generic:
                found.append(option)
            else:
                name = _as_written(option)
                reason = f'option "{name}" unknown ("driver" must be specified before any private options)'
                self.complain(option.position, option.text, reason)
        return found

    def _driver_class(self, family: str, raw: RawDriver) -> type[Driver] | None:
        base = Driver.families.get(family)
        registry = base.registry if base else {}
        word = "auth" if family == "authenticator" else family
        chosen = [option for option in raw.options if option.name == "driver" and not option.is_negated]
        if not chosen:
            if negated := next((option for option in raw.options if option.name == "driver"), None):
                reason = "negation prefix applied to a non-boolean option"
                self.complain(negated.position, negated.text, reason)
                return None
            if base is not None and len(self._options_of(raw, base.options())) < len(raw.options):
                return None
            reason = f'no driver defined for {word} "{raw.name}"'
            self.complain(raw.position, f"{raw.name}:", reason, exim=f":\n  {reason}")
            return None
        option = chosen[0]
        if option.trouble:
            self.complain(option.position, option.text, option.trouble)
            return None
        name = (option.value or "").strip()
        for wanted in (name, ""):
            if name not in registry and self._find_driver is not None:
                self._find_driver(family, wanted)
        found = registry.get(name)
        if found is None:
            self.complain(
                option.position,
                option.text,
                f'{word} {raw.name}: cannot find {word} driver "{option.value}"',
                _meant(option.value or "", registry),
            )
            return None
        if inert := getattr(found, "inert", ""):
            self._note(option, f"{family} driver {found.driver} is read, but not acted on yet", inert)
        return found

    def _values(
        self, raws: Iterable[RawOption], declared: Mapping[str, Option], unknown: str
    ) -> Iterable[tuple[Option, Any]]:
        """Each value, parsed. Where an option is set again the last value counts, except for those that add up."""
        written: dict[str, str] = {}
        for raw in raws:
            option = declared.get(raw.name)
            if option is None:
                name = _as_written(raw)
                self.complain(raw.position, raw.text, unknown.format(name), _meant(name, declared))
                continue
            if raw.name in REPEATABLE and raw.value is not None:
                joined = REPEATABLE[raw.name](written.get(raw.name), raw.value)
                written[raw.name] = joined
                raw = raw._replace(value=joined)
            elif raw.name in written:
                reason = f"{raw.name} is set again: this is the value that counts"
                self.notes.append(Problem(raw.position.file, raw.position.line, raw.text[:200], reason))
            written.setdefault(raw.name, raw.value or "")
            try:
                value = _parse(raw, option, self.named)
            except OptionError as error:
                if raw.name in _LATE and not raw.trouble:
                    self._found.add_at_end(raw.position, str(error), error.suggestion)
                    continue
                self.complain(raw.position, raw.text, str(error).replace(NAME, raw.name), error.suggestion)
                continue
            self._mind_inert(raw, option, value)
            yield option, value

    def _mind_inert(self, raw: RawOption, option: Option, value: object) -> None:
        """What we do not act on is never passed over in silence; what asks for nothing may be."""
        match option.inert:
            case "refused" if option.asks_for_nothing(value):
                return
            case "refused":
                reason = f"{raw.name} is not supported yet, and mail would pass that it forbids"
                self._note(raw, reason, "refused")
            case "noted":
                self._note(raw, f"{raw.name} is read, but has no effect yet", "noted")

    def _note(self, raw: RawOption, reason: str, inert: str) -> None:
        problem = Problem(raw.position.file, raw.position.line, raw.text[:200], reason)
        (self.unsupported if inert == "refused" else self.notes).append(problem)

    def _make(self, cls: type[Any], given: dict[str, Any], position: Position, where: str) -> Any:
        missing = [
            option.name
            for option in cls.options().values()
            if option.default is MISSING and option.default_factory is MISSING and option.place not in given
        ]
        if missing:
            self._found.add_at_end(position, f"{', '.join(missing)} must be set", heading=_heading(where))
            return None
        try:
            made = cls(**given)
        except EarlyError as error:
            self._found.add_for_option(position, error)
            return None
        except OptionError as error:
            heading = "" if isinstance(error, CombinationError) else _heading(where)
            self._found.add_at_end(position, str(error), error.suggestion, heading)
            return None
        for option, reason in made.unready():
            self.unsupported.append(Problem(position.file, position.line, "", f"{where}: {option}: {reason}"))
        for option, reason in made.noted():
            self.notes.append(Problem(position.file, position.line, "", f"{option}: {reason}"))
        return made

    def _acls(self, compile_acl: AclCompiler) -> dict[str, object]:
        def report(position: str, reason: str, suggestion: str, inert: str = "") -> None:
            file, _, line = position.rpartition(":")
            number = int(line) if line.isdigit() else 0
            text = next((found.text for found in lines if str(found.position) == position), "")
            if inert == "late":
                self.late.append(Problem(file, number, text[:200], reason, suggestion))
            elif inert:
                problem = Problem(file, number, text[:200], reason)
                (self.unsupported if inert == "refused" else self.notes).append(problem)
            else:
                self.complain(Position(file, number), text, f"error in ACL: {reason}", suggestion)

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
                rule = parse_retry_rule(line.text, self.named)
            except RetrySyntaxError as error:
                self._line_problem(line, str(error))
                continue
            rules.append(rule)
        return RetryRules(tuple(rules))

    def _rewrite(self) -> RewriteRules:
        rules = []
        for line in self.raw.rewrite:
            try:
                rules.append(parse_rewrite_rule(line.text, self.named))
            except (RewriteSyntaxError, ExpandSyntaxError, ListSyntaxError) as error:
                self._line_problem(line, str(error))
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
                    self._miss(option, f"there is no transport {option.value!r}", known)

    def _check_routers(self) -> None:
        known = {raw.name for raw in self.raw.routers}
        for raw in self.raw.routers:
            for option in raw.options:
                if (
                    option.name in ("redirect_router", "pass_router")
                    and (option.value or "").strip() not in known
                ):
                    self._found.add_last(
                        option.position,
                        option.text,
                        f'new_router "{option.value}" not found for "{raw.name}" router',
                        _meant(option.value or "", known),
                    )

    def _check_authenticators(self, authenticators: Iterable[Any]) -> None:
        """A client names a mechanism; there must not be two authenticators for it."""
        servers: dict[str, str] = {}
        for one in authenticators:
            if not one.is_server:
                continue
            mechanism = one.public_name.upper()
            if mechanism in servers:
                names = f"{servers[mechanism]} and {one.name}"
                self._found.add_last(
                    one.origin,
                    f"{one.name}:",
                    f"two server authenticators ({names}) have the same public name ({one.public_name})",
                )
            servers.setdefault(mechanism, one.name)

    def _check_acls(self, main: Mapping[type[MainOptions], MainOptions]) -> None:
        for option in self.raw.main:
            name = option.value
            if not option.name.startswith("acl_") or not name or not name.isidentifier():
                continue
            if name not in self.raw.acls and name not in ACL_VERBS:
                self.late.append(_missing(option, f"there is no ACL {name!r}", self.raw.acls))

    def _miss(self, option: RawOption, reason: str, known: Iterable[str]) -> None:
        """Exim finds out when mail comes; we do before we serve."""
        self.mistakes.append(_missing(option, reason, known))


def _parse(raw: RawOption, option: Option, named: NamedLists) -> Any:
    """Raises OptionError in Exim's words (readconf's, Exim 6.12 to 6.17)."""
    kind = option.kind
    if kind.is_boolean:
        return _parse_boolean(raw, option, named)
    if raw.is_negated:
        raise OptionError("negation prefix applied to a non-boolean option")
    if not kind.takes_quotes and raw.rest.startswith("="):
        return option.parse(raw.rest[1:].lstrip(), named)
    if raw.trouble:
        raise OptionError(raw.trouble)
    if raw.value is None:
        raise OptionError(f"unexpected end of line (data missing) after {raw.name}")
    return option.parse(raw.value, named)


def _parse_boolean(raw: RawOption, option: Option, named: NamedLists) -> Any:
    rest = raw.rest or (f"={raw.value}" if raw.value is not None else "")
    if not rest:
        return option.kind.parse("no" if raw.is_negated else "yes", named)
    if raw.is_negated or not rest.startswith("="):
        raise OptionError(f"extra characters follow boolean option {_as_written(raw)}")
    return option.parse(rest[1:], named)


def _as_written(raw: RawOption) -> str:
    if not raw.is_negated:
        return raw.name
    found = re.search(rf"(?:no|not)_{re.escape(raw.name)}", raw.text)
    return found.group() if found else f"no_{raw.name}"


def _heading(where: str) -> str:
    """`router r1` → ` for r1 router`, as Exim says it; nothing for the main section."""
    family, _, name = where.partition(" ")
    return f" for {name} {family}" if family in Driver.families else ""


def _missing(option: RawOption, reason: str, known: Iterable[str]) -> Problem:
    place = option.position
    return Problem(place.file, place.line, option.text[:200], reason, _meant(option.value or "", known))


def _meant(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word.strip(), list(known), 1)
    return f"did you mean {close[0]}?" if close else ""


def _both_conditions(before: str | None, after: str) -> str:
    if before is None:
        return after
    return f"${{if and{{{{bool_lax{{{before}}}}}{{bool_lax{{{after}}}}}}}}}"


def _joined_list(separator: str) -> Callable[[str | None, str], str]:
    """Each setting may have a separator of its own; the whole has this one."""

    def join(before: str | None, after: str) -> str:
        items = split(after, separator)
        added = separator.join(item.replace(separator, separator * 2) or " " for item, _ in items)
        return f"{before}{separator}{added}" if before and added else before or added

    return join


_LATE = frozenset(["log_selector"])
"""Main options whose value Exim looks at when it has read them all."""
REPEATABLE: dict[str, Callable[[str | None, str], str]] = {
    "condition": _both_conditions,
    "headers_add": _joined_list("\n"),
    "headers_remove": _joined_list(":"),
    "set": _joined_list(";"),
}
"""Driver options that may be set several times, and how a setting is joined to those before it (Exim 15.1, 24.1)."""
