"""`exists`, and the conditions about the present run: `first_delivery`, `queue_running` (Exim 11.7)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from pillarbox.language.expand.forbidden import refuse_forbidden
from pillarbox.language.expand.nodes import Condition
from pillarbox.language.expand.parser import Parser
from pillarbox.language.expand.registry import condition
from pillarbox.language.expand.scope import Scope


class DeliveryRun(NamedTuple):
    """A facet of the scopes of delivery; outside of it both are false."""

    is_first: bool = False
    """The message has not been tried before."""
    is_queue_run: bool = False


RECHECK_AFTER = 0.01
"""Seconds that an answer about a path without variables holds: many messages where it counts, and less than a program takes to start."""


@condition("exists")
def parse_exists(parser: Parser, name: str) -> Condition:
    """Asks the file system on the loop: a stat of a local path, as quick as any system call."""
    at = parser.position
    node = parser.braced(name)
    evaluate = node.evaluate
    if node.constant is not None:
        return Condition(name, at, _test_of(node.constant), [node])

    def test(scope: Scope) -> bool:
        refuse_forbidden(scope, "exists")
        return _exists(evaluate(scope))

    return Condition(name, at, test, [node])


def _test_of(path: str) -> Callable[[Scope], bool]:
    """Debian's configuration asks ten times with every message whether an administrator has made one of its local files."""
    answer, asked_at = False, float("-inf")

    def test(scope: Scope) -> bool:
        nonlocal answer, asked_at
        refuse_forbidden(scope, "exists")
        now = scope.services.clock.monotonic()
        if now - asked_at > RECHECK_AFTER:
            answer, asked_at = _exists(path), now
        return answer

    return test


def _exists(path: str) -> bool:
    try:
        os.stat(path)
    except (OSError, ValueError):
        return False
    return True


@condition("first_delivery")
def parse_first_delivery(parser: Parser, name: str) -> Condition:
    return Condition(name, parser.position, lambda scope: _run(scope).is_first)


@condition("queue_running")
def parse_queue_running(parser: Parser, name: str) -> Condition:
    return Condition(name, parser.position, lambda scope: _run(scope).is_queue_run)


def _run(scope: Scope) -> DeliveryRun:
    return scope.facet(DeliveryRun) or DeliveryRun()
