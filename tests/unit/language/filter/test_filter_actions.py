"""What filters come to, as values; `tests/oracle/test_filters.py` compares their words with Exim's."""

from __future__ import annotations

import pytest

from pillarbox.app.configuration import declare_bases
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.taint import is_tainted
from pillarbox.language.filter.actions import Deliver, End, LogWrite, Mail, Outcome, Pipe, Save
from pillarbox.language.filter.circumstances import Circumstances
from pillarbox.language.filter.commands import Permissions
from pillarbox.language.filter.errors import FilterSyntaxError
from pillarbox.language.filter.interpreter import interpret, interpret_now
from pillarbox.language.filter.mail_command import BAD_REPLY, addressed, parse_interval
from pillarbox.language.filter.parser import parse_filter
from pillarbox.language.filter.recognition import kind_of
from pillarbox.language.nowhere import empty_scope
from pillarbox.mail.message import MemoryBody, Message


class Block:
    """A header block that is not part of any scope."""

    def __init__(self, block: bytes = b"To: me@here\nFrom: you@there\n") -> None:
        self.block = block

    def read(self, scope: Scope) -> bytes:
        return self.block

    def with_block(self, scope: Scope, block: bytes) -> Scope:
        self.block = block
        return scope

    def with_charset(self, scope: Scope, charset: str) -> Scope:
        return scope


def circumstances(*, home: str | None = None, sender: str = "you@there") -> Circumstances:
    return Circumstances(
        headers=Block(),
        sender=sender,
        return_path=sender,
        own_addresses=("me@here",),
        qualify_domain="here",
        prepend_home=home,
    )


def run(text: str, permissions: Permissions | None = None, *, home: str | None = None) -> Outcome:
    return interpret_now(parse_filter(text, permissions), empty_scope(), circumstances(home=home))


def test_actions_come_in_order() -> None:
    outcome = run('deliver a unseen save x 640 noerror pipe "cmd $n1"')
    assert outcome.actions[0] == Deliver("a@here", None, True, False)
    assert outcome.actions[1] == Save("x", 0o640, False, False)
    assert outcome.is_delivered


def test_a_pipe_keeps_what_its_expansion_will_see() -> None:
    outcome = run(
        'if foranyaddress "p@q" ($thisaddress matches "(.)@") then pipe "cmd $1 $thisaddress" endif'
    )
    assert outcome.actions == (Pipe("cmd $1 $thisaddress", ("p@", "p"), "p@q", True, False),)


def test_relative_files_are_below_home() -> None:
    outcome = run("save mail/x save /var/y", home="/home/me")
    assert [each.path for each in outcome.actions if isinstance(each, Save)] == ["/home/me/mail/x", "/var/y"]


def test_a_log_must_be_named_first() -> None:
    assert "without a previous" in run("logwrite x").error
    assert run("logfile /l logwrite x").actions[1] == LogWrite("x\n", "/l", False)
    assert (
        run("logfile /l logwrite x", Permissions(allows_logwrite=False)).error == "logwrite command forbidden"
    )


def test_an_end_stops_the_filter() -> None:
    outcome = run('deliver a fail text "no" deliver b', Permissions.system())
    assert outcome.end == End("fail", "no")
    assert len(outcome.actions) == 2


def test_long_texts_are_cut() -> None:
    written = 'fail text "${sg{%s}{a}{bb}}%s"'
    kept = run(written % ("a" * 400, "c" * 224), Permissions.system()).end
    assert kept == End("fail", "b" * 800 + "c" * 224)
    cut = run(written % ("a" * 400, "c" * 225), Permissions.system()).end
    assert cut == End("fail", "b" * 800 + "c" * 200 + " ... (truncated)")


def test_intervals_are_checked_when_mail_is_really_sent() -> None:
    outcome = run("mail once_repeat 5d4h")
    assert isinstance(outcome.actions[0], Mail)
    assert outcome.actions[0].once_repeat_seconds == 5 * 86400 + 4 * 3600
    assert "Bad time value" in run("mail once_repeat 5x").error
    assert parse_interval(None) == 0


def test_numbers_are_handed_on() -> None:
    assert run("add 5 to n3 add -7 to n3").numbers[3] == -2


def test_errors_in_branches_never_taken_wait() -> None:
    rules = parse_filter('if a is b then testprint "${nosuch" endif deliver x')
    assert len(rules.problems) == 1
    assert interpret_now(rules, empty_scope(), circumstances()).is_delivered


def test_forbidden_items_are_refused() -> None:
    may = Permissions(forbidden_items=frozenset({"readfile", "lookup"}))
    assert "not permitted" in run('testprint "${readfile{/etc/passwd}}"', may).error
    assert "not permitted" in run('if "${if eq{a}{b}{${readfile{/x}}}}" is "" then finish endif', may).error
    assert run('testprint "${lc:X}"', may).error == ""


@pytest.mark.parametrize("command", ["fail", "freeze", "defer"])
def test_ends_must_be_allowed(command: str) -> None:
    with pytest.raises(FilterSyntaxError, match=f'filtering command "{command}" is disabled'):
        parse_filter(command)
    allowed = Permissions(allows_fail=True, allows_freeze=True, allows_defer=True)
    assert run(command, allowed).end == End(command, "")  # type: ignore[arg-type]


def test_nesting_is_bounded() -> None:
    with pytest.raises(FilterSyntaxError, match="nested too deeply"):
        parse_filter("if a is a then " * 200)
    with pytest.raises(FilterSyntaxError, match="nested too deeply"):
        parse_filter("if " + "(" * 5000 + "a is a")


def test_size_is_bounded() -> None:
    with pytest.raises(FilterSyntaxError, match="too big"):
        parse_filter("#" * 2_000_000)


def test_loops_in_loops_end() -> None:
    addresses = ",".join(f"a{number}@b" for number in range(100))
    outcome = run(
        f'if foranyaddress "{addresses}" (foranyaddress "{addresses}" (foranyaddress "{addresses}" (a is b)))'
        " then finish endif"
    )
    assert "conditions" in outcome.error


def test_evil_expressions_are_errors() -> None:
    outcome = run('if "' + "a" * 900 + '!" matches "^(a+)+$" then finish endif testprint x')
    assert outcome.error or not outcome.is_delivered


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("# Exim filter", "exim"),
        ("\n  #EXIMFILTERED", "exim"),
        ("# exim\nfilter", "forward"),
        ("\n  #  EXIM\tFILTER yes", "exim"),
        ("#sieve filter", "sieve"),
        ("a@b", "forward"),
        ("# filter", "forward"),
        ("", "forward"),
    ],
)
def test_the_first_line_says_what_a_file_is(text: str, kind: str) -> None:
    assert kind_of(text) == kind


async def test_waiting_runs_a_filter_again_from_the_start() -> None:
    rules = parse_filter("add 1 to n1 deliver a add 1 to n1")
    outcome = await interpret(rules, empty_scope(), circumstances())
    assert outcome.numbers[1] == 2
    assert len(outcome.actions) == 3


def scope_from(sender: str) -> Scope:
    declare_bases()
    return empty_scope().with_facet(MessageFacts, MessageFacts("id", sender))


def test_strangers_choose_no_file_above_the_folder_and_no_log() -> None:
    def wants(text: str, sender: str) -> Outcome:
        return interpret_now(parse_filter(text), scope_from(sender), circumstances(home="/h"))

    for sender, is_refused in (("x", False), ("../.ssh/x", True)):
        [saved] = wants("save mail/$sender_address", sender).actions
        assert isinstance(saved, Save) and saved.path == f"/h/mail/{sender}"
        assert is_tainted(saved.path) == is_refused
    outcome = wants("logfile /h/$sender_address\nlogwrite x", "x")
    assert outcome.error == 'failed to open filter log file "/h/x": Tainted filename'


def test_an_answer_goes_to_the_reply_address_where_the_filter_says_nothing() -> None:
    declare_bases()
    [said] = run('mail to "Bob <bob@there>"').actions
    [left_open] = run("vacation").actions
    assert isinstance(said, Mail) and isinstance(left_open, Mail)
    assert addressed(said, empty_scope()) == (said, "bob@there")
    assert addressed(left_open, empty_scope())[1] == BAD_REPLY
    message = Message(b"From: Alice <alice@there>\n", MemoryBody(b""))
    facts = MessageFacts("id", "you@there")
    facts.message = message
    scope = empty_scope().with_facet(MessageFacts, facts)
    answer, address = addressed(left_open, scope)
    assert (answer.to, address) == ("Alice <alice@there>", "alice@there")
