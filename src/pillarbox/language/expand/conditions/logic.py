"""Conditions made of conditions, and of truth values: `and`, `or`, `bool`, `bool_lax`, `def` (Exim 11.7)."""

from __future__ import annotations

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.nodes import Condition, telling_condition
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.references import AFTER_DEF, header_test, must_ask, reader
from pillarbox.language.expand.registry import condition
from pillarbox.language.printing import quoted

_SPACE = " \t\r\n\v\f"
_LAX_FALSE = frozenset(("", "-", "0", "no", "false"))


@condition("and", "or")
def parse_combination(parser: Parser, name: str) -> Condition:
    """`and{{…}{…}}`: the rest is not evaluated once the result is known."""
    at = parser.position
    parser.skip_space()
    parser.expect("{", f'missing {{ after "{name}"')
    parts: list[Condition] = []
    where = f'inside "{name}{{...}}" condition'
    while True:
        parser.skip_space()
        if parser.take("}"):
            break
        parser.expect("{", f'each subcondition inside an "{name}{{...}}" condition must be in its own {{}}')
        with parser.inside(where):
            parts.append(telling_condition(parser.condition(), lambda words: f"{words} {where}"))
        parser.skip_space()
        parser.expect("}", f'missing }} at end of condition inside "{name}" group')
    tests = tuple(part.test for part in parts)
    if name == "and":
        return Condition("and", at, lambda scope: all(test(scope) for test in tests), parts)
    return Condition("or", at, lambda scope: any(test(scope) for test in tests), parts)


@condition("def")
def parse_def(parser: Parser, name: str) -> Condition:
    """`def:variable`: it is not empty; `def:h_name:`: there is such a header."""
    at = parser.position
    parser.expect(":", '":" expected after "def"')
    header = parser.header_name()
    if header is not None:
        return Condition("def", at, header_test(*header))
    name = parser.name()
    if not name:
        raise parser.fail('variable name omitted after "def:"')
    read = reader(name, at, AFTER_DEF)
    return Condition("def", at, lambda scope: bool(read(scope)), is_pure=not must_ask(name))


@condition("bool", "bool_lax")
def parse_bool(parser: Parser, name: str) -> Condition:
    at = parser.position
    node = parser.braced(name)
    read = strict_bool if name == "bool" else lax_bool
    evaluate = node.evaluate
    return Condition(name, at, lambda scope: read(evaluate(scope)), [node])


def strict_bool(text: str) -> bool:
    """true, yes, a number other than 0. Raises ExpansionFailed for what is no boolean."""
    word = str(text).strip(_SPACE).lower()
    if word in ("true", "yes"):
        return True
    if word in ("", "-", "false", "no"):
        return False
    digits = word.removeprefix("-")
    if digits.isascii() and digits.isdigit():
        return digits.strip("0") != ""
    raise ExpansionFailed(f'unrecognised boolean value "{quoted(text.strip(_SPACE))}"')


def lax_bool(text: str) -> bool:
    """Everything but empty, 0, no, false: the rule of the routers' `condition` (Exim 11.7)."""
    return text.strip(_SPACE).lower() not in _LAX_FALSE
