"""Obeying a filter: commands + scope → what is to be done, in order (filter.txt 3.6 to 3.20).

Nothing is carried out here. A run is plain code; where a lookup must be waited for it is abandoned and run again with the answer
(see `language.expand.scope.replay`), so a run has no effects but its outcome.
"""

from __future__ import annotations

import re
from typing import assert_never

from pillarbox.language.addresses import AddressError, working_address
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, replay
from pillarbox.language.expand.taint import is_tainted, like, plain
from pillarbox.language.filter.actions import (
    Action,
    Add,
    Deliver,
    End,
    Finish,
    Headers,
    LogFile,
    LogWrite,
    Outcome,
    Pipe,
    Save,
    TestPrint,
)
from pillarbox.language.filter.circumstances import Circumstances
from pillarbox.language.filter.commands import (
    AddCommand,
    Command,
    DeliverCommand,
    EndCommand,
    Filter,
    FinishCommand,
    HeadersCommand,
    IfCommand,
    LogFileCommand,
    LogWriteCommand,
    MailCommand,
    PipeCommand,
    SaveCommand,
    TestPrintCommand,
)
from pillarbox.language.filter.errors import FilterFailed
from pillarbox.language.filter.mail_command import prepare_mail
from pillarbox.language.filter.numbers import parse_number, wrapped
from pillarbox.language.filter.testing import Tester
from pillarbox.language.filter.texts import quoted
from pillarbox.language.filter.variables import FilterState
from pillarbox.mail import header

_VARIABLE = re.compile(r"n([0-9]?)")
MAX_TEXT = 1024
"""Characters that the text of fail, freeze and defer may have; of a longer one `KEPT_TEXT` are kept."""
KEPT_TEXT = 1000


async def interpret(rules: Filter, scope: Scope, circumstances: Circumstances) -> Outcome:
    """Run the filter, waiting where lookups must. Never raises for what the filter says."""
    try:
        return await replay(scope, lambda run: interpret_now(rules, run, circumstances))
    except ExpansionFailed as error:
        return Outcome((), False, str(error))


def interpret_now(rules: Filter, scope: Scope, circumstances: Circumstances) -> Outcome:
    """The same; raises BlockingIOError when something must be waited for."""
    return _Run(rules, scope, circumstances).whole()


class _Run:
    def __init__(self, rules: Filter, scope: Scope, circumstances: Circumstances) -> None:
        self._rules = rules
        earlier = scope.facet(FilterState)
        self._state = FilterState(earlier.system_numbers if earlier is not None else (0,) * 10)
        self._state.recipients = circumstances.recipients if rules.permissions.is_system else ()
        self._outer = scope
        self._scope = scope.with_facet(FilterState, self._state)
        self._circumstances = circumstances
        self._tester = Tester(circumstances, self._state)
        self._actions: list[Action] = []
        self._log_path = ""
        self._has_changed_headers = False

    def whole(self) -> Outcome:
        error, is_deferred = "", False
        try:
            self._obey_all(self._rules.commands)
        except FilterFailed as failure:
            error = str(failure)
        except ExpansionDeferred as deferral:
            error, is_deferred = str(deferral), True
        self._outer.captures = self._scope.captures
        return Outcome(
            actions=tuple(self._actions),
            is_delivered=self._tester.is_delivered,
            error=error,
            is_deferred=is_deferred,
            numbers=tuple(self._state.numbers),
            headers=self._circumstances.headers.read(self._scope) if self._has_changed_headers else None,
            trace=tuple(self._tester.trace),
        )

    def _obey_all(self, commands: tuple[Command, ...]) -> bool:
        """False: the filter has ended."""
        return all(self._obey(command) for command in commands)

    def _obey(self, command: Command) -> bool:
        match command:
            case IfCommand():
                return self._if(command)
            case DeliverCommand():
                self._deliver(command)
            case SaveCommand(path=path, mode=mode):
                text = self._with_home(path.expand(self._scope, "save command"))
                self._significant(Save(text, mode, command.is_seen, command.ignores_errors), command.is_seen)
            case PipeCommand(command=text):
                captures = tuple(plain(capture) for capture in self._scope.captures)
                here = plain(self._state.this_address)
                self._significant(
                    Pipe(text, captures, here, command.is_seen, command.ignores_errors), command.is_seen
                )
            case MailCommand():
                self._mail(command)
            case AddCommand():
                self._add(command)
            case LogFileCommand(path=path, mode=mode):
                self._log_path = self._writable(path.expand(self._scope, "logfile command"))
                self._significant(LogFile(self._log_path, mode, command.is_seen), command.is_seen)
            case LogWriteCommand():
                self._log_write(command)
            case HeadersCommand():
                self._headers(command)
            case TestPrintCommand(text=text):
                self._actions.append(TestPrint(plain(text.expand(self._scope, "testprint command"))))
            case FinishCommand(is_seen=is_seen):
                self._significant(Finish(is_seen), is_seen)
                return False
            case EndCommand(verb=verb, text=text):
                said = plain(text.expand(self._scope, f"{verb} command"))
                self._actions.append(End(verb, _bounded(said)))
                return False
            case _:
                assert_never(command)
        return True

    def _significant(self, action: Action, is_seen: bool) -> None:
        self._actions.append(action)
        if is_seen:
            self._tester.is_delivered = True

    def _if(self, command: IfCommand) -> bool:
        before = self._state.this_address
        chosen = command.otherwise
        for condition, commands in command.branches:
            if self._tester.holds(condition, self._scope):
                chosen = commands
                break
        goes_on = self._obey_all(chosen)
        self._state.this_address = before
        return goes_on

    def _deliver(self, command: DeliverCommand) -> None:
        address = self._address(command.address.expand(self._scope, "deliver command"))
        errors_to: str | None = None
        if command.errors_to is not None:
            errors_to = self._address(command.errors_to.expand(self._scope, "deliver command"))
            own = self._circumstances.own_addresses[:1]
            if not self._rules.permissions.is_system and errors_to.lower() not in [a.lower() for a in own]:
                raise FilterFailed("errors_to must point to the caller's address")
        self._significant(
            Deliver(address, errors_to, command.is_seen, command.ignores_errors), command.is_seen
        )

    def _address(self, text: str) -> str:
        """The working part, qualified."""
        try:
            found = working_address(str(text))
        except AddressError as error:
            raise FilterFailed(f"malformed address {quoted(text)} in filter file: {error}") from None
        return found.address if found.domain_at else f"{found.address}@{self._circumstances.qualify_domain}"

    def _with_home(self, path: str) -> str:
        """Strangers' words may be names below a folder, as in Exim; not, as there, ways out of it: such a path stays tainted."""
        home = self._circumstances.prepend_home
        full = like(f"{home}/{path}" if home and not path.startswith("/") else path, path)
        return full if ".." in full.split("/") else plain(full)

    def _writable(self, path: str) -> str:
        """Raises FilterFailed."""
        if is_tainted(path) and not self._circumstances.is_test:
            raise FilterFailed(f"failed to open filter log file {quoted(path)}: Tainted filename")
        return plain(path)

    def _mail(self, command: MailCommand) -> None:
        prepared = prepare_mail(command, self._scope, self._circumstances)
        self._significant(prepared, command.is_seen)

    def _add(self, command: AddCommand) -> None:
        text = command.number.expand(self._scope, "add command")
        name = command.variable.expand(self._scope, "add command")
        number = parse_number(text) if text else 0
        if number is None:
            raise FilterFailed(f'malformed number {quoted(text)} in "add" command')
        found = _VARIABLE.fullmatch(name)
        if found is None:
            raise FilterFailed(f'unknown variable {quoted(name)} in "add" command')
        variable = int(found.group(1) or 0)
        self._state.numbers[variable] = wrapped(self._state.numbers[variable] + number)
        self._actions.append(Add(number, variable))

    def _log_write(self, command: LogWriteCommand) -> None:
        text = command.text.expand(self._scope, "logwrite command")
        if not self._rules.permissions.allows_logwrite:
            raise FilterFailed("logwrite command forbidden")
        if not self._log_path and not self._circumstances.is_test:
            raise FilterFailed('attempt to obey "logwrite" command without a previous "logfile"')
        self._significant(LogWrite(plain(text), self._log_path, command.is_seen), command.is_seen)

    def _headers(self, command: HeadersCommand) -> None:
        text = plain(command.text.expand(self._scope, "headers command"))
        blocks = self._circumstances.headers
        self._has_changed_headers |= command.change != "charset"
        self._actions.append(Headers(command.change, text))
        match command.change:
            case "charset":
                self._scope = blocks.with_charset(self._scope, text)
            case "remove":
                names = frozenset(name.strip().lower() for name in text.split(":"))
                self._scope = blocks.with_block(self._scope, header.remove(blocks.read(self._scope), names))
            case "add":
                field = text.lstrip(" \t").rstrip("\n")
                if field:
                    added = f"{field}\n".encode("utf-8", "surrogateescape")
                    self._scope = blocks.with_block(self._scope, blocks.read(self._scope) + added)
            case _:
                assert_never(command.change)


def _bounded(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:KEPT_TEXT]} ... (truncated)"
