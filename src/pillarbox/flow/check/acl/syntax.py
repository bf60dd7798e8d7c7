"""ACL text → program. Every mistake becomes a problem with its position; the others are still found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Protocol

from pillarbox.flow.check.acl.condition import (
    CONDITIONS,
    MODIFIERS,
    AclSyntaxError,
    Condition,
    Modifier,
    load_all,
)
from pillarbox.flow.check.acl.program import VERBS, Acl, Endpass, Line, Statement, Test, Verb
from pillarbox.flow.check.acl.unsupported import (
    CONDITIONS_NOT_YET,
    Inert,
    NotYet,
    UnsupportedCondition,
)
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.named import NamedLists

_WORD = re.compile(r"\s*(!?)\s*([A-Za-z_0-9]+)\s*(=?)\s*(.*)", re.DOTALL)
_SET = re.compile(r"set\s+(dkim_verify_(?:status|reason)|acl_[cm][0-9_][0-9A-Za-z_]*)\s*=\s*(.*)", re.DOTALL)
_STRANGE = re.compile(r"[^0-9A-Za-z_]")
_ENDPASS = re.compile(r"!?\s*endpass\s*(?:=.*)?", re.DOTALL)
_VERB = re.compile(rf"\s*({'|'.join(VERBS)})(?:\s+|$)(?!=)(.*)", re.DOTALL)


class Report(Protocol):
    def __call__(self, position: str, reason: str, suggestion: str, inert: str = "") -> None:
        """`inert`: nothing is wrong, but this is not acted on yet (`noted`, `refused`: config/declare.py)."""


class Note(Protocol):
    def __call__(self, what: str, inert: Inert, suggestion: str = "") -> None:
        """What is read and not acted on, and how grave that is; `late`: what is wrong with it, and what is meant."""


_WHOLE = "\0"
"""In an error: the line as it stands in the file."""


class _Open:
    """A statement being read."""

    def __init__(self, verb: Verb, position: str) -> None:
        self.verb = verb
        self.position = position
        self.lines: list[Line] = []

    def close(self) -> Statement:
        return Statement(self.verb, tuple(self.lines), self.position)


def compile_acl(name: str, lines: Sequence[tuple[str, str]], named: NamedLists, report: Report) -> Acl:
    """`lines`: (text, position `file:line`) of each logical line below the ACL's label."""
    load_all()
    statements: list[Statement] = []
    current: _Open | None = None
    for text, position in lines:
        rest = text
        start = _VERB.match(text)
        if start is not None:
            if current is not None:
                statements.append(current.close())
            current = _Open(_verb(start.group(1)), position)
            rest = start.group(2)
        if not rest.strip():
            continue
        if current is None:
            word = text.split()[0].partition("=")[0]
            report(position, f'unknown ACL verb "{word}" in "{text}"', _meant(text, VERBS))
            continue
        line = _compile_line(rest, text, current.verb, position, named, report)
        if line is not None:
            current.lines.append(line)
    if current is not None:
        statements.append(current.close())
    return Acl(name, tuple(statements))


def _verb(word: str) -> Verb:
    return next(verb for verb in VERBS if verb == word)


def _compile_line(
    text: str, whole: str, verb: Verb, position: str, named: NamedLists, report: Report
) -> Line | None:
    """`whole`: the line with its verb."""

    def note(what: str, inert: Inert, suggestion: str = "") -> None:
        if inert == "late":
            report(position, what, suggestion, inert)
            return
        reason = f"{what} is read, but has no effect yet"
        if inert == "refused":
            reason = f"{what} is not supported yet, and mail would pass that it forbids"
        report(position, reason, "", inert)

    try:
        return _parse_line(text.strip(), verb, position, named, note)
    except AclSyntaxError as error:
        report(position, str(error).replace(_WHOLE, whole), error.suggestion)
    except (ExpandSyntaxError, ListSyntaxError) as error:
        report(position, str(error), "")
    return None


def _parse_line(text: str, verb: Verb, position: str, named: NamedLists, note: Note) -> Line:
    if _ENDPASS.fullmatch(text):
        if text.startswith("!"):
            raise AclSyntaxError('ACL error: negation is not allowed with "endpass"')
        if verb not in ("accept", "discard"):
            raise AclSyntaxError(f'ACL error: "endpass" is not allowed with "{verb}"')
        return Endpass()
    setting = _SET.fullmatch(text)
    if setting is not None:
        return MODIFIERS["set"].parse(f"{setting.group(1)} {setting.group(2)}", named)
    if text.startswith("set ") or text == "set":
        raise AclSyntaxError(_wrong_setting(text))
    word = _WORD.fullmatch(text)
    if word is None:
        raise AclSyntaxError(f'unknown ACL condition/modifier in "{_WHOLE}"')
    negation, name, equals, value = word.groups()
    if name in CONDITIONS or name in CONDITIONS_NOT_YET:
        if not equals:
            raise AclSyntaxError(f'"=" missing after ACL "{name}" condition')
        return Test(_parse_condition(name, value, named, note), bool(negation), position)
    modifier = _parse_modifier(name, negation, equals, value, named)
    _note_mistake(modifier, note)
    return modifier


def _note_mistake(made: Condition | Modifier, note: Note) -> None:
    why, suggestion = made.mistake
    if why:
        note(why, "late", suggestion)


def _wrong_setting(text: str) -> str:
    whole = f'in ACL modifier "{text}"'
    name = text[4:].lstrip()
    if not name.startswith(("acl_c", "acl_m")):
        return f'invalid variable name after "set" {whole} (must start "acl_c" or "acl_m")'
    if not name[5:6].isdigit() and name[5:6] != "_":
        return f'invalid variable name after "set" {whole} (digit or underscore must follow acl_c or acl_m)'
    strange = _STRANGE.search(name)
    if strange is not None and not strange[0].isspace() and strange[0] != "=":
        return f'invalid character "{strange[0]}" in variable name {whole}'
    return '"=" missing after ACL "set" modifier'


def _parse_condition(name: str, value: str, named: NamedLists, note: Note) -> Condition:
    if name in CONDITIONS_NOT_YET:
        note(f"the condition {name}", "refused")
        return UnsupportedCondition.parse(value, named)
    try:
        condition = CONDITIONS[name].parse(value, named)
    except NotYet as found:
        note(str(found), found.inert)
        return UnsupportedCondition(str(found))
    _note_mistake(condition, note)
    return condition


def _parse_modifier(name: str, negation: str, equals: str, value: str, named: NamedLists) -> Modifier:
    if name not in MODIFIERS:
        known = [*CONDITIONS, *CONDITIONS_NOT_YET, *MODIFIERS, "endpass"]
        raise AclSyntaxError(f'unknown ACL condition/modifier in "{_WHOLE}"', _meant(name, known))
    if negation:
        raise AclSyntaxError(f'ACL error: negation is not allowed with "{name}"')
    if not equals:
        raise AclSyntaxError(f'"=" missing after ACL "{name}" modifier')
    return MODIFIERS[name].parse(value, named)


def _meant(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word.split("=")[0].strip(), known, 1)
    return f"did you mean {close[0]!r}?" if close else ""
