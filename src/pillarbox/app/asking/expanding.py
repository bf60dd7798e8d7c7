"""`-be` and `-bem`: what strings expand to (Exim 5.2).

The strings of the command line, or lines of standard input with a prompt. A message may be loaded first. File names that are not
absolute begin in the spool directory, as with Exim, which works there. Nothing is opened, and no
event loop made, before a string needs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import chdir, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pillarbox.app.asking.definitions import Answered, Assignment, Definitions
from pillarbox.app.asking.loading import load_for_checks, stamped
from pillarbox.app.asking.message import Test, as_told, load_message, without_message
from pillarbox.app.asking.queued import load_queued
from pillarbox.app.services import quiet_services
from pillarbox.flow.facets.installation import Installation
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.settings import Files
from pillarbox.language.expand.errors import (
    ExpandSyntaxError,
    ExpansionDeferred,
    ExpansionFailed,
    ForcedFailure,
)
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Origin
from pillarbox.mail.taint import Tainted

if TYPE_CHECKING:
    import asyncio

_TROUBLES = (ExpandSyntaxError, ExpansionFailed, ExpansionDeferred)


def expand_strings(
    path: Path,
    strings: Sequence[str],
    *,
    macros: Mapping[str, str] | None = None,
    message: str | None = None,
    sender: str | None = None,
    queued: str | None = None,
    extracts: bool = False,
    about: Mapping[str, str] | None = None,
) -> int:
    """Each string's expansion on a line; `message`: the file that `-bem` names; `queued`: the waiting message of
    `-Mset`; `about`: of `-oM…`, by its letters. 1: configuration or file are no good."""
    config = load_for_checks(path, macros)
    if config is None:
        return 1
    services = quiet_services(config)
    try:
        if queued is not None:
            test = load_queued(queued, config) or _not_loaded(queued)
        elif message is not None:
            test = load_message(message, sender, config, extracts=extracts)
        else:
            test = without_message(sender, config)
    except PermissionError:
        print("exim: permission denied", file=sys.stderr)
        return 1
    except OSError as error:
        print(f'exim: failed to open "{message}": {error.strerror}', file=sys.stderr)
        return 1
    if about:
        test = as_told(test, about)
    installation = Installation(str(path.absolute()), str(Path.cwd()))
    scope = Scope({**test.facets, Installation: installation}, services)
    spool = Path(config.main(Files).spool_directory)
    with chdir(spool) if os.access(spool, os.X_OK) else nullcontext():
        definitions = Definitions(config, "-be args" if strings else "-be stdin")
        _expand_all(test, strings, scope, definitions)
    return 0


def _not_loaded(message_id: str) -> Test:
    """Strings are expanded all the same, as by Exim."""
    print(stamped(f"Spool file {message_id}-D not found"), file=sys.stderr)
    print(f"Failed to load message datafile {message_id}\nFailed to load message {message_id}")
    return Test({Origin: Origin(), MessageFacts: MessageFacts()})


def _expand_all(test: Test, strings: Sequence[str], scope: Scope, definitions: Definitions) -> None:
    for line in test.remarks:
        print(line)
    prompt = "" if strings else "> "
    print(end=prompt, flush=True)
    loop = LateLoop()
    for text in strings or typed_lines(sys.stdin):
        answer = _answer(text, scope, loop, definitions)
        print("" if answer is None else f"{answer}\n", end=prompt, flush=True)
    loop.close()
    print(end="\n" if prompt else "")


def _answer(text: str, scope: Scope, loop: LateLoop, definitions: Definitions) -> str | None:
    """None: standard error has it."""
    try:
        taken = definitions.take(text)
        if isinstance(taken, str):
            return _expanded(taken, scope, loop)
        return _set(taken, scope, loop)
    except Answered as answered:
        if not answered.is_complaint:
            return str(answered)
        print(answered, file=sys.stderr, flush=True)
        return None
    except _TROUBLES as error:
        return f"Failed: {error}"


def _set(wanted: Assignment, scope: Scope, loop: LateLoop) -> str:
    done = f"variable {wanted.name.removeprefix('acl_')} set"
    try:
        value = _expanded(wanted.value, scope, loop)
    except ForcedFailure:
        return done
    except _TROUBLES as error:
        return f"oops: {error}"
    facts = scope.facet(MessageFacts)
    if facts is not None:
        facts.variables[wanted.name] = Tainted(value) if wanted.is_tainted else value
    return done


def _expanded(text: str, scope: Scope, loop: LateLoop) -> str:
    """Raises `_TROUBLES`."""
    template = Template.parse(text)
    return template.expand_now(scope) if template.is_pure else loop.run(template.expand(scope))


class LateLoop:
    """One event loop for all strings, made when the first of them has to wait."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def run(self, work: Coroutine[Any, Any, str]) -> str:
        if self._runner is None:
            import asyncio

            self._runner = asyncio.Runner()
        return self._runner.run(work)

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()


def typed_lines(source: Iterable[str]) -> Iterator[str]:
    """Lines without trailing white space; a backslash at the end joins the next line, whose leading white space goes."""
    held: str | None = None
    for raw in source:
        line = raw.rstrip() if held is None else raw.strip()
        if line.endswith("\\"):
            held = (held or "") + line[:-1]
            continue
        yield (held or "") + line
        held = None
    if held is not None:
        yield held
