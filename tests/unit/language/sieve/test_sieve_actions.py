"""Actions, and what is kept when nothing else is done (RFC 5228 §2.10, §4; RFC 3894)."""

from __future__ import annotations

import pytest
from tests.support.sieve import mistake, run

from pillarbox.language.sieve.actions import Action, FileInto, Redirect
from pillarbox.language.sieve.run import MAX_ACTIONS

KEPT = FileInto("INBOX")


@pytest.mark.parametrize(
    ("script", "actions"),
    [
        ("", (KEPT,)),
        ("keep;", (KEPT,)),
        ("keep; keep;", (KEPT,)),
        ("discard;", ()),
        ("discard; keep;", (KEPT,)),
        ("stop; discard;", (KEPT,)),
        ('redirect "a@b.test";', (Redirect("a@b.test"),)),
        ('redirect "a@b.test"; keep;', (Redirect("a@b.test"), KEPT)),
        ('redirect "a@b.test"; redirect "a@b.test";', (Redirect("a@b.test"),)),
        ('require "fileinto"; fileinto "x/y";', (FileInto("x/y"),)),
        ('require "fileinto"; fileinto "x"; fileinto "y";', (FileInto("x"), FileInto("y"))),
        ('require ["fileinto", "copy"]; fileinto :copy "x";', (FileInto("x"), KEPT)),
        ('require "copy"; redirect :copy "a@b.test"; discard;', (Redirect("a@b.test"),)),
        ('require "fileinto"; require "copy"; fileinto :copy "x"; keep;', (FileInto("x"), KEPT)),
    ],
)
def test_actions(script: str, actions: tuple[Action, ...]) -> None:
    outcome = run(script)
    assert outcome.mistake is None
    assert outcome.actions == actions


def test_what_stands_before_a_mistake_is_done_and_the_message_is_kept() -> None:
    outcome = run('redirect "a@b.test"; bogus;')
    assert outcome.actions == (Redirect("a@b.test"), KEPT)
    assert outcome.mistake is not None
    assert (outcome.mistake.line, outcome.mistake.column) == (1, 21)


def test_what_stands_behind_a_stop_does_not_matter() -> None:
    assert run("if true { discard; stop; } bogus").mistake is None
    assert run("if false { discard; stop; } bogus").mistake is not None


@pytest.mark.parametrize("folder", ["", "..", "../x", "a/../b", "a/.."])
def test_folders_that_climb(folder: str) -> None:
    assert mistake(f'require "fileinto"; fileinto "{folder}";') == "invalid folder in line 1"


@pytest.mark.parametrize("folder", ["x..y", "..x", "a/..b", "/abs/x"])
def test_folders_that_do_not(folder: str) -> None:
    assert run(f'require "fileinto"; fileinto "{folder}";').actions == (FileInto(folder),)


@pytest.mark.parametrize("folder", ["a\nb", "a\0b"])
def test_folders_are_lines(folder: str) -> None:
    assert mistake(f'require "fileinto"; fileinto "{folder}";').startswith("invalid folder")


def test_a_redirect_has_a_domain() -> None:
    assert mistake('redirect "a";') == "unqualified recipient address in line 1"
    assert mistake('redirect "\\"a@b\\"";') == "unqualified recipient address in line 1"


@pytest.mark.parametrize("address", ["a@b, c@d", "@b", "a@", "a b@c", "a@b\nc", "\0@b", '\\"a\nb\\"@c'])
def test_a_redirect_is_to_one_address(address: str) -> None:
    assert mistake(f'redirect "{address}";').startswith("malformed address")


def test_a_phrase_may_stand_before_the_address() -> None:
    assert run('redirect "Al <al@x.test>"; redirect "<al@x.test>";').actions == (Redirect("al@x.test"),)


def test_actions_are_bounded_and_the_message_is_kept() -> None:
    script = 'require "fileinto";' + "".join(f'fileinto "{n}";' for n in range(MAX_ACTIONS + 1))
    outcome = run(script)
    assert str(outcome.mistake).startswith("too many actions")
    assert len(outcome.actions) == MAX_ACTIONS + 1
    assert outcome.actions[-1] == KEPT
