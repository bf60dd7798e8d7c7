"""Whether a condition holds (filter.txt 3.21 to 3.31). Tests that compare fold ASCII letters only, as Exim does."""

from __future__ import annotations

from typing import assert_never

from pillarbox.language.addresses import AddressError, address_items, working_address
from pillarbox.language.expand.scope import Scope
from pillarbox.language.filter.circumstances import Circumstances
from pillarbox.language.filter.conditions import (
    AnyAddress,
    Both,
    Compare,
    Condition,
    Either,
    Order,
    Personal,
    State,
    show,
)
from pillarbox.language.filter.errors import FilterFailed
from pillarbox.language.filter.numbers import parse_scaled
from pillarbox.language.filter.personal import is_personal
from pillarbox.language.filter.texts import Text, quoted
from pillarbox.language.filter.variables import FilterState, tainted_like
from pillarbox.language.regex import RegexError, compile_regex, search

MAX_TESTS = 20_000
"""Simple conditions that one run of a filter may test: `foranyaddress` in `foranyaddress` multiplies."""
_WHERE = "filter file"
_FOLD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


class Tester:
    """Tests the conditions of one run. `is_delivered` is kept up to date by the interpreter."""

    __slots__ = ("_circumstances", "_state", "_tests", "is_delivered", "trace")

    def __init__(self, circumstances: Circumstances, state: FilterState) -> None:
        self._circumstances = circumstances
        self._state = state
        self._tests = 0
        self.is_delivered = False
        self.trace: list[str] = []

    def holds(self, condition: Condition, scope: Scope, *, depth: int = 0) -> bool:
        """Raises FilterFailed, BlockingIOError. Captures are left in `scope`."""
        result = self._holds(condition, scope, depth) is not condition.is_negated
        if self._circumstances.traces_conditions:
            name = "Sub-condition" if depth else "Condition"
            self.trace.append(f"{name} is {'true' if result else 'false'}: {show(condition)}")
        return result

    def _holds(self, condition: Condition, scope: Scope, depth: int) -> bool:
        match condition:
            case Both(left=left, right=right):
                return self.holds(left, scope, depth=depth + 1) and self.holds(right, scope, depth=depth + 1)
            case Either(left=left, right=right):
                return self.holds(left, scope, depth=depth + 1) or self.holds(right, scope, depth=depth + 1)
            case AnyAddress():
                return self._any_address(condition, scope, depth)
        self._tests += 1
        if self._tests > MAX_TESTS:
            raise FilterFailed(f"the filter tests more than {MAX_TESTS} conditions")
        match condition:
            case Compare():
                return self._compare(condition, scope)
            case Order():
                first, second = _number(condition.left, scope), _number(condition.right, scope)
                return first > second if condition.order == "above" else first < second
            case State():
                return self._is_so(condition)
            case Personal(aliases=aliases):
                own = (*self._circumstances.own_addresses, *aliases)
                headers = self._circumstances.headers
                return bool(self._circumstances.sender) and is_personal(headers.read(scope), own)
        assert_never(condition)

    def _compare(self, condition: Compare, scope: Scope) -> bool:
        left, right = condition.left.expand(scope, _WHERE), condition.right.expand(scope, _WHERE)
        if condition.comparison == "matches":
            return self._matches(left, right, scope, is_caseful=condition.is_caseful)
        if not condition.is_caseful:
            left, right = str(left).translate(_FOLD), str(right).translate(_FOLD)
        match condition.comparison:
            case "is":
                return left == right
            case "contains":
                return right in left and (right != "" or condition.is_caseful)
            case "begins":
                return left.startswith(right)
            case "ends":
                return left.endswith(right)
        assert_never(condition.comparison)

    def _matches(self, subject: str, pattern: str, scope: Scope, *, is_caseful: bool) -> bool:
        if self._circumstances.traces_conditions:
            self.trace += ["Match expanded arguments:", f"  Subject = {subject}", f"  Pattern = {pattern}"]
        try:
            captures = search(compile_regex(pattern, ignore_case=not is_caseful), subject)
        except RegexError as error:
            raise FilterFailed(str(error)) from None
        if captures is None:
            return False
        scope.captures = captures
        return True

    def _is_so(self, condition: State) -> bool:
        match condition.flag:
            case "delivered":
                return self.is_delivered
            case "error_message":
                return not self._circumstances.sender
            case "first_delivery":
                return self._circumstances.is_first_delivery
            case "manually_thawed":
                return self._circumstances.is_manually_thawed
        assert_never(condition.flag)

    def _any_address(self, condition: AnyAddress, scope: Scope, depth: int) -> bool:
        """`$thisaddress` stays at the address that fits; the interpreter puts it back behind the `if`."""
        text = condition.addresses.expand(scope, _WHERE)
        for item in address_items(str(text)):
            try:
                found = working_address(item.text)
            except AddressError:
                continue
            self._state.this_address = tainted_like(found.address, text)
            if self._circumstances.traces_conditions:
                self.trace.append(f"Extracted address {found.address}")
            if self.holds(condition.condition, scope, depth=depth + 1):
                return True
        return False


def _number(text: Text, scope: Scope) -> int:
    value = text.expand(scope, _WHERE)
    number = parse_scaled(value)
    if number is None:
        raise FilterFailed(f"malformed numerical string {quoted(value)}")
    return number
