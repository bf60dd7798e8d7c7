"""What makes mail wait as it comes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from pillarbox.flow.accept.policy import AcceptPolicy
from pillarbox.flow.accept.wait_rules import AT_ONCE, LOCAL_ONLY, QUEUED, Start, WaitRules
from pillarbox.flow.accept.waiting import start_of


def started(
    rules: WaitRules, *files: str, load: float = 0.0, received: int = 1, connections: int = 1
) -> Start:
    return rules.start(lambda path: path in files, lambda: load, received, connections)


def policy(*, queue_only: bool = False, rules: WaitRules | None = None) -> AcceptPolicy:
    return cast(AcceptPolicy, SimpleNamespace(queue_only=queue_only, wait_rules=rules))


@pytest.mark.parametrize(
    ("files", "start"),
    [((), AT_ONCE), (("/stop",), QUEUED), (("/far",), LOCAL_ONLY), (("/far", "/stop"), QUEUED)],
)
def test_files_stop_all_or_what_is_for_other_hosts(files: tuple[str, ...], start: Start) -> None:
    assert started(WaitRules(files=("smtp/far", "/stop")), *files) == start


def test_load() -> None:
    rules = WaitRules(load=2.0)
    assert started(rules, load=2.0) == AT_ONCE
    assert started(rules, load=2.5) == Start(is_queued=True, why="load average 2.50", is_latched=True)
    assert not started(WaitRules(load=2.0, latches=False), load=2.5).is_latched


def test_a_connection_keeps_to_what_the_load_once_was() -> None:
    rules = WaitRules(load=1e9)
    assert start_of({}, policy(rules=rules)) == AT_ONCE
    assert start_of({}, policy(rules=rules), is_latched=True).is_queued


def test_connections_and_messages_in_one() -> None:
    assert started(WaitRules(connections=10), connections=10) == AT_ONCE
    assert started(WaitRules(connections=10), connections=11).why == "too many connections (11, max 10)"
    assert started(WaitRules(messages=1), received=1) == AT_ONCE
    assert started(WaitRules(messages=1), received=2).why == "more than 1 messages received in one connection"


def test_only_local_when_asked() -> None:
    assert started(WaitRules(is_local_only=True)) == LOCAL_ONLY
    assert started(WaitRules(is_local_only=True, load=1.0), load=3.0).is_queued


def test_an_acl_comes_first_then_the_submission_then_the_options() -> None:
    assert start_of({"queue": ""}, policy(queue_only=True)) == Start(is_queued=True, why="queued by ACL")
    assert start_of({}, policy(), is_queue_only=True) == QUEUED
    assert start_of({}, policy(queue_only=True)) == QUEUED
    assert start_of({"freeze": ""}, policy()) == AT_ONCE
    assert start_of({}, policy(rules=WaitRules(is_local_only=True))) == LOCAL_ONLY
