r"""Text → nodes: the grammar of Exim's expansion strings (Exim 11.1 to 11.5).

    text  = ( literal | `\` escape | `\N` verbatim `\N` | `$`name | `${` … `}` )*
    `${`  = name `}` | operator[`_`argument]* `:` text `}` | item … `}`

Inside braces a text ends at the first `}` that no `\` protects; an opening brace is nothing special there.

Bounded: nesting depth and length of the source.
"""

from __future__ import annotations

import re

from pillarbox.language.expand import registry
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.expand.nodes import Condition, Node, apply, join, literal
from pillarbox.language.expand.references import reference

MAX_NESTING = 60
MAX_SOURCE = 1024 * 1024

_PLAIN = re.compile(r"[^\\$}]+")
_NAME = re.compile(r"[A-Za-z0-9_]+")
_ITEM_NAME = re.compile(r"[A-Za-z0-9_]+(?:(?<=_)-[0-9][A-Za-z0-9_]*)?")
"""`substr_-2_1` too."""
HEADER_NAME = re.compile(r"(?:h|header|rh|rheader|bh|bheader|lh|lheader)_[^:\s}]*:?")
_SPACE = re.compile(r"\s*")
_OPERATOR = re.compile(r"([a-z0-9]+(?:_[a-z]+)*)((?:_-?[0-9]+)*)$|([a-z0-9_]+)$")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_OCTAL = re.compile(r"[0-7]{1,3}")
_HEX = re.compile(r"[0-9a-fA-F]{1,2}")
_SYMBOL = re.compile(r"[<>=]=?|=")


class Parser:
    """One source text and a place in it. Item and condition parsers are given this."""

    __slots__ = ("depth", "position", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0
        self.depth = 0

    def fail(self, message: str, position: int | None = None) -> ExpandSyntaxError:
        return ExpandSyntaxError(message, self.position if position is None else position)

    # Small steps

    def peek(self) -> str:
        """The next character; empty at the end."""
        return self.source[self.position : self.position + 1]

    def skip_space(self) -> None:
        self.position = _SPACE.match(self.source, self.position).end()  # type: ignore[union-attr]

    def take(self, character: str) -> bool:
        """Whether `character` came next; then we are behind it."""
        if self.source.startswith(character, self.position):
            self.position += len(character)
            return True
        return False

    def expect(self, character: str, message: str) -> None:
        if not self.take(character):
            raise self.fail(message)

    def name(self) -> str:
        """A name of letters, digits and underscores, perhaps empty."""
        found = _NAME.match(self.source, self.position)
        if not found:
            return ""
        self.position = found.end()
        return found.group()

    # Texts

    def whole(self) -> Node:
        """The complete source."""
        if len(self.source) > MAX_SOURCE:
            raise self.fail(f"an expansion string is longer than {MAX_SOURCE} characters", 0)
        node = self._text(is_braced=False)
        if node.constant is None:
            return node
        return literal(node.constant, 0)

    def braced(self, owner: str) -> Node:
        """White space and a text in braces: an argument of `owner`."""
        self.skip_space()
        self.expect("{", f'missing {{ for an argument of "{owner}"')
        node = self._text(is_braced=True)
        self.expect("}", f'missing }} at the end of an argument of "{owner}"')
        return node

    def braced_source(self, owner: str) -> Node:
        """An argument in which `$` is nothing special: for what expands it later itself (a list)."""
        self.skip_space()
        at = self.position
        self.expect("{", f'missing {{ for an argument of "{owner}"')
        parts: list[str] = []
        while self.position < len(self.source) and self.peek() != "}":
            if self.peek() == "\\":
                parts.append(self._escape())
            else:
                parts.append(self.peek())
                self.position += 1
        self.expect("}", f'missing }} at the end of an argument of "{owner}"')
        return literal("".join(parts), at)

    def optional_braced(self, owner: str) -> Node | None:
        """`braced`, or None when no brace comes next."""
        self.skip_space()
        return self.braced(owner) if self.peek() == "{" else None

    def braced_arguments(self, owner: str, least: int, most: int) -> list[Node]:
        """Between `least` and `most` braced arguments."""
        found: list[Node] = []
        while len(found) < most and (node := self.optional_braced(owner)) is not None:
            found.append(node)
        if len(found) < least:
            raise self.fail(f'missing argument for "{owner}": {least} wanted, {len(found)} found')
        return found

    def _text(self, *, is_braced: bool) -> Node:
        start = self.position
        parts: list[Node] = []
        while self.position < len(self.source):
            at = self.position
            if plain := _PLAIN.match(self.source, at):
                self.position = plain.end()
                parts.append(literal(plain.group(), at))
                continue
            character = self.source[at]
            if character == "}":
                if is_braced:
                    break
                self.position += 1
                parts.append(literal("}", at))
            elif character == "\\":
                parts.append(literal(self._escape(), at))
            else:
                parts.append(self._dollar())
        return join(parts, start)

    def _escape(self) -> str:
        at = self.position
        following = self.source[at + 1 : at + 2]
        if not following:
            raise self.fail("\\ at end of string")
        self.position += 2
        if following == "N":
            end = self.source.find("\\N", self.position)
            verbatim = self.source[self.position :] if end < 0 else self.source[self.position : end]
            self.position = len(self.source) if end < 0 else end + 2
            return verbatim
        if found := _OCTAL.match(self.source, at + 1):
            self.position = found.end()
            return _byte(int(found.group(), 8) & 0xFF)
        if following == "x" and (found := _HEX.match(self.source, at + 2)):
            self.position = found.end()
            return _byte(int(found.group(), 16))
        return _ESCAPES.get(following, following)

    def _dollar(self) -> Node:
        at = self.position
        self.position += 1
        if self.take("{"):
            return self._in_braces(at)
        if header := HEADER_NAME.match(self.source, self.position):
            self.position = header.end()
            return reference(header.group(), at)
        name = self.name()
        if not name:
            raise self.fail("$ not followed by letter, digit, or {", at)
        if name[0].isdigit():  # $1 is one reference however many digits follow other text: $12 is capture 12
            digits = re.match(r"[0-9]+", name)
            assert digits
            self.position -= len(name) - digits.end()
            name = digits.group()
        return reference(name, at)

    def _in_braces(self, at: int) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.fail(f"expansions are nested more than {MAX_NESTING} deep", at)
        self.skip_space()
        if header := HEADER_NAME.match(self.source, self.position):
            self.position = header.end()
            node = reference(header.group(), at)
        else:
            found = _ITEM_NAME.match(self.source, self.position)
            self.position = found.end() if found else self.position
            node = self._named(found.group() if found else "", at)
        self.skip_space()
        self.expect("}", "missing } at the end of an expansion item")
        self.depth -= 1
        return node

    def _named(self, name: str, at: int) -> Node:
        if not name:
            raise self.fail("${ is not followed by a name", at)
        if parse := registry.ITEMS.get(name):
            mark = self.position
            self.skip_space()
            if self.peek() == "{" or name in _WORD_ITEMS:
                self.position = mark
                return parse(self)
            self.position = mark
        if self.take(":"):
            return self._operator(name, at)
        self.skip_space()
        if self.peek() != "}":
            raise self.fail(f'unknown expansion item or operator "{name}"', at)
        return reference(name, at)

    def _operator(self, name: str, at: int) -> Node:
        operator = registry.OPERATORS.get(name)
        if operator is not None and not operator.takes_arguments:
            return apply(name, at, operator.apply, [self._operand()], untaints=operator.untaints)
        base, *arguments = name.split("_")
        operator = operator or registry.OPERATORS.get(base)
        if operator is None or (arguments and not operator.takes_arguments):
            raise self.fail(f'unknown expansion operator "{name}"', at)
        function, fixed = operator.apply, tuple(arguments)
        operand = self._operand()
        return apply(name, at, lambda text: function(text, fixed), [operand], untaints=operator.untaints)

    def _operand(self) -> Node:
        self.skip_space()
        return self._text(is_braced=True)

    # Conditions

    def condition(self) -> Condition:
        """`!`* name …, as in `${if` and behind `condition =`-like places."""
        self.skip_space()
        at = self.position
        if self.take("!"):
            self.depth += 1
            if self.depth > MAX_NESTING:
                raise self.fail(f"conditions are nested more than {MAX_NESTING} deep", at)
            inner = self.condition()
            self.depth -= 1
            test = inner.test
            return Condition("!", at, lambda scope: not test(scope), [inner])
        symbol = _SYMBOL.match(self.source, self.position)
        if symbol:
            self.position = symbol.end()
            name = symbol.group()
        else:
            name = self.name()
        parse = registry.CONDITIONS.get(name)
        if parse is None:
            raise self.fail(f'unknown condition "{name}"' if name else "condition name expected", at)
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.fail(f"conditions are nested more than {MAX_NESTING} deep", at)
        found = parse(self, name)
        self.depth -= 1
        return found


def _byte(code: int) -> str:
    """A byte as text carries it: beyond ASCII as a lone surrogate, until its neighbours make it a character."""
    return chr(code) if code < 0x80 else chr(0xDC00 + code)


_WORD_ITEMS = frozenset({"if"})
"""Items whose name is followed by a word instead of a brace."""
