"""What `log_selector` adds to log lines; the lines were taken from Exim 4.100."""

from __future__ import annotations

import re

import pytest

from pillarbox.config.log_selector import SELECTORS
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Deferred, Delivered, Failed, RemoteHost
from pillarbox.mail.reply import Reason, Reply
from pillarbox.wire.exim.log_line import line_completed, line_received
from pillarbox.wire.exim.log_style import DEFAULT, LogStyle, log_style, show_elapsed
from pillarbox.wire.exim.outcome_line import line_outcome

ID = "1xVFnS-000000004lv-3uNM"
ORIGIN = Origin(
    protocol="esmtp",
    host_address="192.0.2.7",
    host_port=4000,
    helo="cl.test",
    ident="root",
    interface_address="192.0.2.1",
    interface_port=25,
)
HEADERS = b'Subject: =?utf-8?q?caf=C3=A9?= hi "x"\nMessage-ID: <m1@x.test>\n'


def style(selector: str) -> LogStyle:
    return log_style(selector, SELECTORS)


def received(selector: str) -> str:
    recipients = (Recipient("al@mail.example.org"), Recipient("out@two.example.org"))
    envelope = Envelope(
        id=ID, sender="s@x.test", recipients=recipients, origin=ORIGIN, received_at=0.0, body_type="8BITMIME"
    )
    message = Message.parse(HEADERS + b"\nhello\n")
    line = line_received(envelope, message, style=style(selector))
    return line.removeprefix(f"{ID} <= s@x.test ")


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ("", "H=(cl.test) [192.0.2.7] U=root P=esmtp S=SIZE id=m1@x.test"),
        ("+8bitmime", "H=(cl.test) [192.0.2.7] U=root P=esmtp S=SIZE M8S=8 id=m1@x.test"),
        (
            "+incoming_interface +incoming_port",
            "H=(cl.test) [192.0.2.7]:4000 I=[192.0.2.1]:25 U=root P=esmtp S=SIZE id=m1@x.test",
        ),
        ("-msg_id", "H=(cl.test) [192.0.2.7] U=root P=esmtp S=SIZE"),
        (
            "+received_recipients +received_sender +subject",
            'H=(cl.test) [192.0.2.7] U=root P=esmtp S=SIZE id=m1@x.test T="caf\\303\\251 hi \\"x\\"" from <s@x.test> '
            "for al@mail.example.org out@two.example.org",
        ),
    ],
)
def test_arrivals(selector: str, text: str) -> None:
    assert re.sub(r"\bS=\d+", "S=SIZE", received(selector)) == text


DELIVERED = Delivered(
    address="out@mail.example.org",
    recipient="out@mail.example.org",
    router="out",
    transport="smtp",
    host=RemoteHost("127.0.0.1", "127.0.0.1", 2599),
    reply=Reply(250, "OK id=xyz"),
    elapsed=0.0444,
)


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ("", 'R=out T=smtp H=127.0.0.1 [127.0.0.1] C="250 OK id=xyz"'),
        ("-smtp_confirmation", "R=out T=smtp H=127.0.0.1 [127.0.0.1]"),
        ("+outgoing_port", 'R=out T=smtp H=127.0.0.1 [127.0.0.1]:2599 C="250 OK id=xyz"'),
        ("+sender_on_delivery", 'F=<s@x.test> R=out T=smtp H=127.0.0.1 [127.0.0.1] C="250 OK id=xyz"'),
        (
            "+queue_time +deliver_time +millisec",
            'R=out T=smtp H=127.0.0.1 [127.0.0.1] C="250 OK id=xyz" QT=0.060s DT=0.044s',
        ),
        ("+queue_time +deliver_time", 'R=out T=smtp H=127.0.0.1 [127.0.0.1] C="250 OK id=xyz" QT=0s DT=0s'),
    ],
)
def test_deliveries(selector: str, text: str) -> None:
    line = line_outcome(ID, DELIVERED, style=style(selector), sender="s@x.test", age=0.06)
    assert line == f"{ID} => out@mail.example.org {text}"


def test_failures_and_deferrals_tell_sender_and_time() -> None:
    chosen = style("+sender_on_delivery +deliver_time")
    failed = Failed(address="bad@a", recipient="bad@a", router="bad", reason=Reason("no such"))
    assert line_outcome(ID, failed, style=chosen, sender="s@x.test") == (
        f"{ID} ** bad@a F=<s@x.test> R=bad : no such DT=0s"
    )
    deferred = Deferred(
        address="box@a", recipient="al@a", router="box", transport="file", reason=Reason("why"), elapsed=61.0
    )
    assert line_outcome(ID, deferred, style=chosen, sender="s@x.test") == (
        f"{ID} == box@a <al@a> R=box T=file defer DT=1m1s: why"
    )


def test_all_parents_are_told_when_asked_for() -> None:
    outcome = Delivered(address="c@a", recipient="a@a", parents=("b2@a", "b1@a"), router="r", transport="t")
    assert line_outcome(ID, outcome, style=style("+all_parents")) == f"{ID} => c@a (b2@a, b1@a) <a@a> R=r T=t"
    assert line_outcome(ID, outcome) == f"{ID} => c@a <a@a> R=r T=t"


def test_completion_may_tell_the_time_in_the_queue() -> None:
    assert line_completed(ID, style=style("+queue_time_overall"), age=225.0) == f"{ID} Completed QT=3m45s"


@pytest.mark.parametrize(
    ("selector", "shown"),
    [
        ("", DEFAULT),
        ("+all", SELECTORS | DEFAULT),
        ("-all", frozenset()),
        ("-all +subject", frozenset({"subject"})),
        ("+subject-msg_id", DEFAULT - {"msg_id"} | {"subject"}),
    ],
)
def test_selectors_add_up(selector: str, shown: frozenset[str]) -> None:
    assert style(selector).selected == shown


def test_long_times_are_told_in_units() -> None:
    assert show_elapsed(90061.0, style("+millisec")) == "1d1h1m1s"
