"""Lines about deliveries, compared with what Exim 4.100 wrote for the same events."""

from __future__ import annotations

from pillarbox.mail.outcome import Deferred, Delivered, Failed, RemoteHost, Security
from pillarbox.mail.reply import Reason, Reply
from pillarbox.wire.exim.log_style import USUAL, LogStyle
from pillarbox.wire.exim.outcome_line import line_outcome, named

ID = "1xVBlU-000000002vd-3Fbs"
HOST = RemoteHost("mx.example", "192.0.2.1", 2525)


def outcome(kind: str, **fields: object) -> str:
    made = {"=>": Delivered, "**": Failed, "==": Deferred}[kind](**fields)  # type: ignore[arg-type]
    return line_outcome(ID, made).removeprefix(f"{ID} ")


def test_local_delivery() -> None:
    fields: dict[str, object] = {
        "address": "u1@example.org",
        "path": "/m/u1",
        "router": "loc",
        "transport": "md",
    }
    assert outcome("=>", recipient="u1@example.org", **fields) == "=> u1 <u1@example.org> R=loc T=md"
    assert outcome("=>", recipient="al@x", parents=("u@x", "v@x"), **fields) == "=> u1 <al@x> R=loc T=md"
    assert (
        outcome("=>", recipient="al@x", log_word=":blackhole:", address="al@x", router="r")
        == "=> :blackhole: <al@x> R=r"
    )


def test_remote_delivery() -> None:
    made = Delivered(
        address="x@rem.example",
        recipient="x@rem.example",
        router="rem",
        transport="rsmtp",
        host=HOST,
        reply=Reply(250, 'Ok: "q"\nas 12345', "2.0.0"),
        security=Security("TLS1.3:X:256", authenticator="plain"),
        is_reused=True,
        chunking=True,
    )
    assert line_outcome(ID, made, is_additional=True) == (
        f"{ID} -> x@rem.example R=rem T=rsmtp H=mx.example [192.0.2.1]* X=TLS1.3:X:256 A=plain K "
        'C="250-2.0.0 Ok: \\"q\\"\\\\n250 2.0.0 as 12345"'
    )


def test_failures_and_deferrals() -> None:
    who: dict[str, object] = {"address": "x@y", "recipient": "x@y", "router": "r"}
    said = Reply(450, "try later", "4.2.0")
    assert outcome("**", **who, reason=Reason("no such user here")) == "** x@y R=r : no such user here"
    assert (
        outcome("**", **who, transport="t", host=HOST, reason=Reason("SMTP error\nBcc: x"))
        == "** x@y R=r T=t H=mx.example [192.0.2.1] : SMTP error\\nBcc: x"
    )
    assert outcome("==", **who, reason=Reason("not now")) == "== x@y R=r defer: not now"
    assert (
        outcome("==", **who, transport="t", host=HOST, reason=Reason("Connection refused"))
        == "== x@y R=r T=t defer (Connection refused)"
    )
    assert (
        outcome("==", **who, transport="t", host=HOST, reply=said, reason=Reason("450 later"))
        == "== x@y R=r T=t defer H=mx.example [192.0.2.1]: 450 later"
    )


def test_an_address_is_named_as_it_stands_in_the_envelope() -> None:
    made = Failed(address="p-bob@x", log_word="bob@x", recipient="p-bob@x", reason=Reason("no"))
    assert named(made, USUAL) == "p-bob@x"
    made = Failed(address="bob@x", log_word="|prog", recipient="list@x", reason=Reason("no"))
    assert named(made, USUAL) == "|prog <list@x>"


def test_how_a_session_with_a_host_that_refused_began() -> None:
    style = LogStyle(frozenset({"protocol_detail"}))
    made = Failed(
        address="x@rem.example",
        recipient="x@rem.example",
        transport="rsmtp",
        host=HOST,
        security=Security("TLS1.3:X:256"),
        startup="ese",
        reason=Reason("no"),
    )
    assert (
        line_outcome(ID, made, style=style)
        == f"{ID} ** x@rem.example T=rsmtp H=mx.example [192.0.2.1] PS=ese : no"
    )
