r"""Text → nodes: the grammar of Exim's expansion strings (Exim 11.1 to 11.5), with its words for each mistake.

    text  = ( literal | `\` escape | `\N` verbatim `\N` | `$`name | `$`digits | `$h_`header`:` | `${` … `}` )*
    `${`  = digits `}` | item … `}` | operator[`_`argument]* `:` text `}` | name `}`

Inside braces a text ends at the first `}` that no `\` protects; an opening brace is nothing special there. A NUL byte (`\0`) ends the
value of the text it stands in, as C strings end.

Exim finds a mistake when it comes by, so not in what it skips; here the whole string is read when it is parsed.

Bounded: nesting depth and length of the source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from pillarbox.language.expand import registry
from pillarbox.language.expand.budget import MAX_NESTING, MAX_SOURCE, counted, metered, metered_test
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.expand.lookup import no_quoter
from pillarbox.language.expand.nodes import Condition, Node, apply, cut, join, literal, untainted_separator
from pillarbox.language.expand.references import IN_BRACES, PLAINLY, capture, reference

MAX_NAME = 254
_OWN_WORDS = frozenset({"listnamed"})
"""Operators that say themselves what is wrong with an argument."""
_LOOPS = frozenset({"filter", "map", "reduce", "sort"})

_PLAIN = re.compile(r"[^\\$}]+")
_WORD = re.compile(r"[A-Za-z0-9_]*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NAME_IN_BRACES = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_DIGITS = re.compile(r"[0-9]+")
HEADER_NAME = re.compile(r"((?:h|header|rh|rheader|bh|bheader|lh|lheader)_)([!-9;-~]*)(:?)")
"""Prefix, name, terminator. The name ends at a colon, white space or what does not print, not at a brace."""
_SPACE = re.compile(r"[ \t\n\r\v\f]*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "v": "\v", "f": "\f"}
_OCTAL = re.compile(r"[0-7]{1,3}")
_HEX = re.compile(r"[0-9a-fA-F]{0,2}")
_CHANGE = re.compile(r"[ \t\n\v\f\r]*<[!-/:-@\[-`{-~\x00-\x1f\x7f]")
_BRACES = re.compile(r"missing '[{}]|Not enough arguments|Too many arguments")
_OPEN_HEADER = "missing or misplaced { or } - could be header name not terminated by colon"
_SYMBOL = re.compile(r"[<>=]=?|=")

Observer = Callable[["Node | Condition", str, int, int], None]
"""Told of every piece as soon as it is parsed: the piece, the source, where it begins and ends. It may change `evaluate` or `test`."""


class Parser:
    """One source text and a place in it. Item and condition parsers are given this."""

    __slots__ = ("depth", "has_open_header", "loops", "observer", "position", "source")

    def __init__(self, source: str, observer: Observer | None = None) -> None:
        self.source = str(source)
        self.position = 0
        self.depth = 0
        self.loops = 0
        """How many looping items and conditions are around."""
        self.observer = observer
        self.has_open_header = False
        """A header's name took a closing brace: it lacks its colon, most likely, and nobody misses it but the braces behind."""

    def fail(self, message: str, position: int | None = None, suggestion: str = "") -> ExpandSyntaxError:
        if self.has_open_header and _BRACES.match(message):
            message = _OPEN_HEADER
        return ExpandSyntaxError(message, self.position if position is None else position, suggestion)

    def fail_curly(self, message: str) -> ExpandSyntaxError:
        """The braces behind a condition or a lookup are not as they should be."""
        if self.has_open_header:
            return self.fail(_OPEN_HEADER)
        rest = self.source[self.position :]
        return self.fail(
            f"curly-bracket problem in conditional yes/no parsing: {message}\n remaining string is '{rest}'"
        )

    @contextmanager
    def inside(self, where: str) -> Iterator[None]:
        """Mistakes in what is parsed meanwhile end with `where`, such as `inside "map" item`."""
        try:
            yield
        except ExpandSyntaxError as error:
            raise ExpandSyntaxError(f"{error.message} {where}", error.position, error.suggestion) from None

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
        found = _WORD.match(self.source, self.position)
        assert found
        self.position = found.end()
        return found.group()

    def header_name(self) -> tuple[str, str] | None:
        """`("rh", "subject")` when a reference to a header comes next, without its `$`; then we are behind it and its colon."""
        found = HEADER_NAME.match(self.source, self.position)
        if found is None:
            return None
        self.position = found.end()
        prefix, name, _ = found.groups()
        if "}" in name:
            self.has_open_header = True
        return prefix[:-1], name

    # Texts

    def whole(self) -> Node:
        """The complete source."""
        if len(self.source) > MAX_SOURCE:
            raise self.fail(f"a string to expand is longer than {MAX_SOURCE} characters", 0)
        node = self._text(is_braced=False)
        if node.constant is None or self.observer is not None:
            return node
        return literal(node.constant, 0)

    def braced(self, owner: str, missing: str = "") -> Node:
        """White space and a text in braces: an argument of `owner`. `missing`: what to say when there is no opening brace."""
        self.skip_space()
        self.expect("{", missing or f'missing {{ after "{owner}"')
        return self._rest_of_braced()

    def _rest_of_braced(self) -> Node:
        node = self._text(is_braced=True)
        if not self.take("}"):
            colon = " - could be header name not terminated by colon" if self.has_open_header else ""
            raise self.fail(f"missing }} at end of string{colon}")
        return node

    def braced_list(self, owner: str, missing: str = "") -> Node:
        """An argument that is a list. A `<` and the separator behind it are taken as they stand, be that a brace or a dollar.

        In a tainted list that brings its own `<` the change of separator is dropped: data does not say how it is read (Exim 10.2).
        """
        self.skip_space()
        at = self.position
        self.expect("{", missing or f'missing {{ after "{owner}"')
        change = self._separator_change()
        if not change:
            return untainted_separator(self._rest_of_braced(), _CHANGE)
        return join([literal(change, at), self._rest_of_braced()], at)

    def _separator_change(self) -> str:
        """`<;` when that comes next, escapes read; then we are behind it. Otherwise empty."""
        start = self.position
        self.skip_space()
        if self.take("<") and self.position + 1 < len(self.source):
            if self.peek() == "\\":
                separator = self._escape()
            else:
                separator = self.peek()
                self.position += 1
            if _CHANGE.fullmatch(f"<{separator}"):
                return f"<{separator}"
        self.position = start
        return ""

    def braced_source(self, owner: str, missing: str = "") -> Node:
        """An argument in which `$` is nothing special: for what expands it later itself (a list)."""
        self.skip_space()
        at = self.position
        self.expect("{", missing or f'missing {{ after "{owner}"')
        parts: list[str] = []
        while self.position < len(self.source) and self.peek() != "}":
            if self.peek() == "\\":
                parts.append(self._escape())
            else:
                parts.append(self.peek())
                self.position += 1
        self.expect("}", "missing } at end of string")
        return literal("".join(parts), at)

    def optional_braced(self, owner: str) -> Node | None:
        """`braced`, or None when no brace comes next."""
        self.skip_space()
        return self.braced(owner) if self.peek() == "{" else None

    def braced_arguments(self, owner: str, least: int, most: int) -> list[Node]:
        """All arguments of an item that has between `least` and `most`; its closing brace comes next (and is left)."""
        found: list[Node] = []
        while len(found) < most and (node := self.optional_braced(owner)) is not None:
            found.append(node)
        if len(found) < least:
            raise self.fail(f"Not enough arguments for '{owner}' (min is {least})")
        self.skip_space()
        if self.peek() == "{":
            raise self.fail(f"Too many arguments for '{owner}' (max is {most})")
        if self.peek() != "}":
            raise self.fail(f"missing '}}' after '{owner}'")
        return found

    def condition_arguments(self, name: str, count: int) -> list[Node]:
        """The `count` (1 or 2) braced arguments of the condition `name`."""
        found = [self.braced(name)]
        missing = f'missing 2nd string in {{}} after "{name}"'
        found.extend(self.braced(name, missing) for _ in range(1, count))
        return found

    def _text(self, *, is_braced: bool) -> Node:
        start = self.position
        parts: list[Node] = []
        kept: int | None = None
        while self.position < len(self.source):
            if is_braced and self.source.startswith("}", self.position):
                break
            at = self.position
            node = self._observed(self._piece(), at)
            if node.label == "text" and "\0" in (node.constant or "") and kept is None:
                node = literal((node.constant or "").partition("\0")[0], at)
                kept = len(parts) + 1
            parts.append(node)
        if kept is not None:
            return cut(join(parts[:kept], start), join(parts[kept:], start))
        node = join(parts, start)
        return node if len(parts) < 2 else self._observed(node, start)

    def _piece(self) -> Node:
        at = self.position
        if plain := _PLAIN.match(self.source, at):
            self.position = plain.end()
            return literal(plain.group(), at)
        character = self.source[at]
        if character == "}":
            self.position += 1
            return literal("}", at)
        return literal(self._escape(), at) if character == "\\" else self._dollar()

    def _observed(self, node: Node, start: int) -> Node:
        if self.observer is not None:
            self.observer(node, self.source, start, self.position)
        return node

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
            return _byte(int(found.group() or "0", 16))
        return _ESCAPES.get(following, following)

    def _dollar(self) -> Node:
        at = self.position
        self.position += 1
        if self.take("{"):
            return self._in_braces(at)
        if (header := self.header_name()) is not None:
            return reference(f"{header[0]}_{header[1]}", at)
        if name := _NAME.match(self.source, self.position):
            self.position = name.end()
            return reference(name.group()[:MAX_NAME], at, PLAINLY)
        if digits := _DIGITS.match(self.source, self.position):
            self.position = digits.end()
            return capture(digits.group(), at)
        raise self.fail("$ not followed by letter, digit, or {", at)

    def _in_braces(self, at: int) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.fail(f"expansions are nested more than {MAX_NESTING} deep", at)
        name = ""
        if digits := _DIGITS.match(self.source, self.position):
            self.position = digits.end()
            node = capture(digits.group(), at)
            self.expect("}", "} expected after number")
        else:
            found = _NAME_IN_BRACES.match(self.source, self.position)
            if found is None:
                raise self.fail("letter or digit expected after ${", at)
            self.position = found.end()
            name = found.group()[:MAX_NAME]
            node = self._named(name, at)
            self.skip_space()
            self.expect("}", f'missing }} at end of "{name}"')
        self.depth -= 1
        if self.loops and node.constant is None:
            node.evaluate = counted(node.evaluate)
        return node

    def _named(self, name: str, at: int) -> Node:
        if name.startswith("listnamed_") and self.peek() == ":":
            name = name[:11]
        if parse := registry.ITEMS.get(name):
            return parse(self) if name not in _LOOPS else self._loop(parse)
        if self.take(":"):
            return self._operator(name, at)
        if self.peek() == "}":
            return reference(name, at, IN_BRACES)
        raise self.fail(
            f'"${{{name}" is not a known operator (or a }} is missing in a variable reference)',
            at,
            _similar(name, (*registry.ITEMS, *registry.OPERATORS), "${", "…}"),
        )

    def _loop(self, parse: registry.ItemParser) -> Node:
        self.loops += 1
        node = parse(self)
        self.loops -= 1
        if not self.loops:
            node.evaluate = metered(node.evaluate)
        return node

    def _operator(self, name: str, at: int) -> Node:
        operator = registry.OPERATORS.get(name)
        if operator is not None and not operator.takes_arguments:
            return apply(name, at, operator.apply, [self.operand()], untaints=operator.untaints)
        base, *arguments = name.split("_")
        operator = operator or registry.OPERATORS.get(base)
        is_bare = operator is not None and not operator.takes_arguments and base != "quote"
        if is_bare or base in registry.SCOPED_OPERATORS - _OWN_WORDS:
            raise self.fail(f'unknown expansion operator "{name}" ("{base}" does not take an _arg)', at)
        operand = self.operand()
        if operator is None or not operator.takes_arguments:
            if operator is not None:
                raise self.fail(no_quoter(name), at)
            similar = _similar(name, registry.OPERATORS, "${", ":…}")
            raise self.fail(f'unknown expansion operator "{name}"', at, similar)
        function, fixed = operator.apply, tuple(arguments)
        return apply(name, at, lambda text: function(text, fixed), [operand], untaints=operator.untaints)

    def operand(self) -> Node:
        node = self._rest_of_braced()
        self.position -= 1
        return node

    # Conditions

    def condition(self) -> Condition:
        """`!`* name …, as in `${if` and behind `condition =`-like places."""
        self.skip_space()
        at = self.position
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.fail(f"conditions are nested more than {MAX_NESTING} deep", at)
        found = self._negated(at) if self.take("!") else self._tested()
        self.depth -= 1
        if self.observer is not None:
            self.observer(found, self.source, at, self.position)
        return found

    def _negated(self, at: int) -> Condition:
        inner = self.condition()
        test = inner.test
        return Condition("!", at, lambda scope: not test(scope), [inner])

    def _tested(self) -> Condition:
        at = self.position
        symbol = _SYMBOL.match(self.source, at)
        if symbol:
            self.position = symbol.end()
        name = symbol.group() if symbol else self.name()[:MAX_NAME]
        if not name:
            raise self.fail(f'condition name expected, but found "{self.source[at : at + 16]}"')
        parse = registry.CONDITIONS.get(name)
        if parse is None:
            similar = _similar(name, registry.CONDITIONS, "", "")
            raise self.fail(f'unknown condition "{name}"', at, similar)
        if not name.startswith(("forall", "forany")):
            return parse(self, name)
        self.loops += 1
        condition = parse(self, name)
        self.loops -= 1
        condition.test = metered_test(condition.test)
        return condition


def _byte(code: int) -> str:
    """A byte as text carries it: beyond ASCII as a lone surrogate, until its neighbours make it a character."""
    return chr(code) if code < 0x80 else chr(0xDC00 + code)


def _similar(name: str, known: Iterable[str], before: str, behind: str) -> str:
    close = get_close_matches(name, list(known), 1, 0.7)
    return f"did you mean {before}{close[0]}{behind}?" if close else ""
