"""`pillarbox expand`: a string, what each piece of it gives, and the result (Exim chapter 11; Exim's `-be` has only the result).

Each line is a piece of the string and its value, the pieces it is made of below it; `(tainted)` marks what came from outside.
Variables can be given values; a message can be loaded for its headers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pillarbox.app.asking.loading import load_or_complain
from pillarbox.app.asking.message import load_message, without_message
from pillarbox.app.services import quiet_services
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand import registry
from pillarbox.language.expand.errors import (
    ExpandSyntaxError,
    ExpansionDeferred,
    ExpansionFailed,
    ForcedFailure,
)
from pillarbox.language.expand.references import reader
from pillarbox.language.expand.template import Template
from pillarbox.language.expand.tracing import Step, TracedScope, Tracer
from pillarbox.language.printing import printable
from pillarbox.mail.taint import is_tainted

_WIDTH = 72
_UNSEEN = re.compile(r"[\x00-\x1f\x7f]")


class _Given:
    """The facet of variables that `--set` gave."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values


def explain(
    path: Path, source: str, *, message: str | None = None, given: Mapping[str, str] | None = None
) -> int:
    """Print the steps and the result. The exit code: 1 when there is none."""
    config = load_or_complain(path)
    if config is None:
        return 1
    try:
        test = load_message(message, None, config) if message is not None else without_message(None, config)
    except OSError as error:
        print(f"{message}: {error.strerror}")
        return 1
    scope = TracedScope(test.facets, quiet_services(config))
    scope.tracer = tracer = Tracer()
    try:
        _set_variables(scope, given or {})
        template = Template.parse(source, tracer)
    except ExpandSyntaxError as error:
        print("\n".join(complaint(source, error)))
        return 1
    lines, code = asyncio.run(_expanded(template, scope))
    print("\n".join(lines))
    return code


async def _expanded(template: Template, scope: TracedScope) -> tuple[list[str], int]:
    outcome, code = [], 0
    try:
        value = await template.expand(scope)
        outcome.append(f"= {_shown(value)}")
    except (ExpansionFailed, ExpansionDeferred) as error:
        kinds = {ForcedFailure: "Forced failure", ExpansionDeferred: "Deferred"}
        outcome.append(f"{kinds.get(type(error), 'Failed')}: {printable(str(error))}")
        outcome += _pointed(template.source, scope.tracer.steps)
        code = 1
    return [*step_lines(scope.tracer.steps), *outcome], code


def _set_variables(scope: TracedScope, given: Mapping[str, str]) -> None:
    """Raises ExpandSyntaxError for a name that nobody declared."""
    facts = scope.facet(MessageFacts)
    own: dict[str, str] = {}
    captures: dict[int, str] = {}
    for name, value in given.items():
        if name.isdigit() and len(name) < 3:
            captures[int(name)] = value
        elif name in ("value", "item"):
            setattr(scope, name, value)
        elif name.startswith("acl_") and facts is not None:
            reader(name)
            facts.variables[name] = value
        else:
            reader(name)
            _declare(name)
            own[name] = value
    scope.captures = [captures.get(number, "") for number in range(max(captures, default=-1) + 1)]
    if own:
        scope.facets[_Given] = _Given(own)


def _declare(name: str) -> None:
    """What was given comes before every other source of the name; taint stays as declared."""
    tainted = any(known.tainted for known in registry.VARIABLES[name]) if name in registry.VARIABLES else True
    highest = max((known.rank for known in registry.VARIABLES.get(name, ())), default=0)
    declared = registry.variable(name, _Given, doc="Given by --set.", tainted=tainted, rank=highest + 1)
    declared(lambda given: given.values.get(name, ""))


def step_lines(steps: Sequence[Step], depth: int = 0) -> list[str]:
    """Each step on a line, indented by what it is part of."""
    lines: list[str] = []
    for step in steps:
        lines.append("  " * depth + _line(step))
        shown = (
            step.parts if step.label == "if" else [part for part in step.parts if not _is_plain_text(part)]
        )
        lines += step_lines(shown, depth + 1)
    return lines


def _is_plain_text(step: Step) -> bool:
    """Text that is its own value, which the piece around shows already."""
    return step.label == "text" and step.was_taken and step.value == step.source


def _line(step: Step) -> str:
    source = printable(step.source)
    if len(source) > _WIDTH:
        source = source[: _WIDTH - 1] + "…"
    if not step.was_taken:
        return f"{source}  not taken"
    if step.label == "asked":
        return f"asked {source}: {_outcome(step)}"
    return f"{source}  {_outcome(step)}"


def _outcome(step: Step) -> str:
    if step.error is not None:
        return f"failed: {printable(str(step.error))}"
    if isinstance(step.value, bool):
        return "is true" if step.value else "is false"
    if step.value is None:
        return "found nothing" if step.label == "asked" else "waits"
    value = step.value
    return f"= {_shown(value)}" if isinstance(value, str) else f"= {value!r}"


def _shown(value: str) -> str:
    mark = " (tainted)" if is_tainted(value) else ""
    text = value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return f'"{_UNSEEN.sub(lambda found: printable(found[0]), text)}"{mark}'


def complaint(source: str, error: ExpandSyntaxError) -> list[str]:
    """A mistake: what, where in the string, and what may have been meant."""
    lines = [f"Failed: {error.message}", *_marked(source, error.position, error.position + 1)]
    return [*lines, error.suggestion] if error.suggestion else lines


def _pointed(source: str, steps: Sequence[Step]) -> list[str]:
    """A mark under the innermost piece that failed."""
    found: Step | None = None
    while failed := next((step for step in steps if step.error is not None and step.end), None):
        found, steps = failed, failed.parts
    return [] if found is None else _marked(source, found.begin, found.end)


def _marked(source: str, begin: int, end: int) -> list[str]:
    before, marked = printable(source[:begin]), printable(source[begin:end])
    skipped = max(0, len(before) - _WIDTH // 2)
    line = before[skipped:] + printable(source[begin:])
    return [
        f"  {line[:_WIDTH]}",
        "  " + " " * (len(before) - skipped) + "^" + "~" * (min(len(marked), _WIDTH // 2) - 1),
    ]
