"""ACL text → program. Every mistake becomes a problem with its position; the others are still found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence

from pillarbox.flow.check.acl.condition import CONDITIONS, MODIFIERS, AclSyntaxError, Modifier, load_all
from pillarbox.flow.check.acl.program import VERBS, Acl, Endpass, Line, Statement, Test, Verb
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.named import NamedLists

_WORD = re.compile(r"\s*(!?)\s*([A-Za-z_0-9]+)\s*(=?)\s*(.*)", re.DOTALL)
_SET = re.compile(r"set\s+(acl_[cm][0-9A-Za-z_]+)\s*=\s*(.*)", re.DOTALL)
NOT_YET = frozenset(
    [
        "atrn_domains",
        "bmi_optin",
        "dcc",
        "decode",
        "dkim_signers",
        "dkim_status",
        "dmarc_status",
        "log_reject_target",
        "malware",
        "mime_regex",
        "queue",
        "ratelimit",
        "regex",
        "seen",
        "spam",
        "spf",
        "spf_guess",
        "udpsend",
    ]
)
"""Exim's conditions and modifiers that are not here."""
_VERB = re.compile(rf"\s*({'|'.join(VERBS)})(?:\s+|$)(?!=)(.*)", re.DOTALL)

Report = Callable[[str, str, str], None]
"""(position, what is wrong, suggestion)."""


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
            report(position, f"an ACL statement begins with one of: {', '.join(VERBS)}", _meant(text, VERBS))
            continue
        line = _compile_line(rest, current.verb, position, named, report)
        if line is not None:
            current.lines.append(line)
    if current is not None:
        statements.append(current.close())
    return Acl(name, tuple(statements))


def _verb(word: str) -> Verb:
    return next(verb for verb in VERBS if verb == word)


def _compile_line(text: str, verb: Verb, position: str, named: NamedLists, report: Report) -> Line | None:
    try:
        return _parse_line(text.strip(), verb, position, named)
    except AclSyntaxError as error:
        report(position, str(error), error.suggestion)
    except (ExpandSyntaxError, ListSyntaxError) as error:
        report(position, str(error), "")
    return None


def _parse_line(text: str, verb: Verb, position: str, named: NamedLists) -> Line:
    if text == "endpass":
        if verb not in ("accept", "discard"):
            raise AclSyntaxError(f'"endpass" is not allowed with {verb!r}')
        return Endpass()
    setting = _SET.fullmatch(text)
    if setting is not None:
        return MODIFIERS["set"].parse(f"{setting.group(1)} {setting.group(2)}", named)
    if text.startswith("set "):
        raise AclSyntaxError("set needs a variable acl_c… or acl_m…, as in: set acl_m_score = 5")
    word = _WORD.fullmatch(text)
    if word is None:
        raise AclSyntaxError(f"{text!r} is neither a condition nor a modifier")
    negation, name, equals, value = word.groups()
    if name in CONDITIONS:
        if not equals:
            raise AclSyntaxError(f"condition {name!r} needs '=' and a value")
        return Test(CONDITIONS[name].parse(value, named), bool(negation), position)
    return _parse_modifier(name, negation, equals, value, named)


def _parse_modifier(name: str, negation: str, equals: str, value: str, named: NamedLists) -> Modifier:
    if name in NOT_YET:
        raise AclSyntaxError(f"{name!r} is not supported yet")
    if name not in MODIFIERS:
        known = [*CONDITIONS, *MODIFIERS, *NOT_YET, "endpass"]
        raise AclSyntaxError(f"unknown ACL condition or modifier {name!r}", _meant(name, known))
    if negation:
        raise AclSyntaxError(f"modifier {name!r} cannot be negated")
    if not equals:
        raise AclSyntaxError(f"modifier {name!r} needs '=' and a value")
    return MODIFIERS[name].parse(value, named)


def _meant(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word.split("=")[0].strip(), known, 1)
    return f"did you mean {close[0]!r}?" if close else ""
