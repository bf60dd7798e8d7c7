"""Exim's command line: what each option sets, what does not exist, what does not go together."""

from __future__ import annotations

import pytest

from pillarbox.cli.arguments import Arguments, Usage
from pillarbox.cli.options import parse
from pillarbox.cli.queue_options import regular_runs


def read(text: str) -> Arguments:
    return parse(text.split(), "exim")


def refusal(text: str) -> str:
    with pytest.raises(Usage) as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", "usage"),
        ("a@b", "submit"),
        ("-t", "submit"),
        ("-bd -q30m", "daemon"),
        ("-bdf", "daemon_foreground"),
        ("-q30m", "queue_daemon"),
        ("-q", "queue_run"),
        ("-Rff x", "queue_run"),
        ("-S x", "queue_run"),
        ("-bp", "list"),
        ("-bpru x", "list"),
        ("-bpc", "count"),
        ("-bS", "batch_smtp"),
        ("-Mrm 1", "remove"),
        ("-M 1", "deliver"),
        ("-Mes 1 a@b", "edit_sender"),
        ("-be -f x $local_part", "expand"),
        ("-bI:help", "inquire"),
        ("--version", "version"),
        ("-bp --help", "usage"),
        ("-bd --help -q", "usage"),
        ("--help -bp", "usage"),
    ],
)
def test_modes(text: str, mode: str) -> None:
    assert read(text).mode == mode


def test_options_end_at_the_first_word() -> None:
    assert read("-odi a@b -f c@d").words == ["a@b", "-f", "c@d"]
    assert read("-- -x").words == ["-x"]


def test_queue_flags() -> None:
    wish = read("-qqiffl 1abcde-00000000000-0000 1abcde-00000000001-0000").queue
    assert (wish.is_two_stage, wish.first_only, wish.force, wish.force_frozen, wish.local_only) == (True,) * 5
    assert (wish.first_id[-6], wish.last_id[-6]) == ("0", "1")
    several = read("-qGslow/10m -q5m -qqffGlists/1h").queue
    assert (several.is_wanted, several.is_two_stage) == (False, False)
    usual, slow, lists = regular_runs(several)
    assert (usual.wish.queue, usual.interval) == ("", 300.0)
    assert (slow.wish.queue, slow.interval) == ("slow", 600.0)
    assert (lists.wish.queue, lists.interval, lists.wish.is_two_stage) == ("lists", 3600.0, True)
    assert lists.wish.force_frozen and not slow.wish.force_frozen
    assert read("-qGslow/10m").mode == "queue_daemon"
    assert read("-bp -qGslow").queue.name == "slow"


def test_runs_of_a_daemon() -> None:
    once, often = regular_runs(read("-bd -R joe -qf -qff20m").queue)
    assert (once.interval, once.wish.force, once.wish.force_frozen, once.wish.recipient) == (
        0,
        True,
        False,
        "joe",
    )
    assert (often.interval, often.wish.force_frozen, often.wish.recipient) == (1200, True, "joe")
    (alone,) = regular_runs(read("-bd -q5m -R joe").queue)
    assert (alone.interval, alone.wish.recipient) == (300, "joe")


def test_the_matching_options() -> None:
    wish = read("-Rrff one@ -S two").queue
    assert (wish.recipient, wish.is_regular_recipient, wish.force_frozen) == ("one@", True, True)
    assert (wish.sender, wish.is_regular_sender) == ("two", False)


def test_where_a_message_comes_from() -> None:
    about = read("-oMa 1.2.3.4 -oMaa plain -oMr esmtpa -oMs h -oMt i x").about
    assert about == {"a": "1.2.3.4", "aa": "plain", "r": "esmtpa", "s": "h", "t": "i"}
    assert read("-p uucp:there x").about == {"r": "uucp", "s": "there"}
    assert read("-pd x").about == {}


def test_null_senders_and_values_attached() -> None:
    assert parse(["-f", "", "x"], "exim").sender == ""
    assert read("-f <> x").sender == "<>"
    assert read("-fa@b x").sender == "a@b"
    assert read("-odf x").delivery == "i"


@pytest.mark.parametrize(
    "text",
    [
        "-bpx",
        "-b",
        "-bz",
        "-Mx",
        "-o",
        "-odx",
        "-oMx y",
        "-oZ",
        "-tx",
        "-y",
        "--foo",
        "-",
        "-f",
        "-q nonsense",
    ],
)
def test_unknown_options_are_refused_as_exim_does(text: str) -> None:
    word = text.split()[0]
    assert refusal(text) == f"unknown, malformed, or incomplete option {word}\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-M", "no message ids given after -M option"),
        ("-MG slow", "no message ids given after -MG option"),
        ("-bd x", "incompatible command-line options or arguments"),
        ("-q10m x", "incompatible command-line options or arguments"),
        ("-Mset 1", "incompatible command-line options or arguments"),
        ("-q10x", "bad time value -q10x: abandoned"),
        ("-R", "string expected after -R"),
        ("-oMr a -oMr b x", "received_protocol is set already"),
        ("-oMm x y", "-oMm must be a valid message ID"),
        ("-oDSN", "string expected after -oDSN"),
        ("-oDSN X=1 y", "only subcases N,R,V expected for -oDSN"),
        ("-oDSN N=never,delay y", "DSN NOTIFY=never may not be combined"),
        ("-oDSN R=all y", "bad value for DSN RET"),
        ("-q0s", "bad time value -q0s: abandoned"),
        ("-q1d -bp", "incompatible command-line options or arguments"),
        ("-qR", "string expected after -R"),
        ("-bwx", "bad time value -bwx: abandoned"),
        ("-bw -q10m", "incompatible command-line options or arguments"),
        ("-atrn host", "host and domainlist expected after -atrn"),
        ("-d+nosuch -bt x", "unknown debug_selector setting: +nosuch"),
    ],
)
def test_what_makes_no_sense(text: str, why: str) -> None:
    assert refusal(text) == why


def test_status_notifications() -> None:
    wish = read("-oDSN N=success,delay -oDSN R=hdrs -oDSN V=a=b x")
    assert (wish.notify, wish.ret, wish.envid) == (("SUCCESS", "DELAY"), "HDRS", "a=b")


def test_runs_for_senders_and_recipients_in_one_word() -> None:
    wish = read("-qqRf joe").queue
    assert (wish.is_two_stage, wish.force, wish.recipient) == (True, True, "joe")
    wish = read("-qSr ^a@").queue
    assert (wish.sender, wish.is_regular_sender) == ("^a@", True)


def test_a_line_for_the_log_comes_before_everything() -> None:
    assert read("-z hello -bp").mode == "log_line"


def test_the_body_type_is_passed_over() -> None:
    assert read("-B 8BITMIME joe").words == ["joe"]
    assert read("-B8BITMIME joe").words == ["joe"]


def test_inetd_listens_for_us() -> None:
    assert (read("-bw1h").mode, read("-bw1h").idle_end) == ("waiting_daemon", "1h")


def test_a_harness_may_set_message_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "incomplete option -Tqt" in refusal("-Tqt 1h/2h")
    monkeypatch.setenv("EXIM_TEST_HARNESS", "1")
    assert read("-Tqt 1h/2h x").test_ages == "1h/2h"
