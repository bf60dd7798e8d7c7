"""What a host offers is used: PRDR, LIMITS, and BDAT in one write with the envelope."""

from tests.unit.flow.transport.test_smtp_transport import job_for, world_with

from pillarbox.flow.transport.transports.smtp import Smtp
from pillarbox.mail.outcome import Deferred, Delivered, Failed

HELLO = """
S: 220 mx1
C: EHLO mail.example.org
S: 250-mx1
S: 250-PIPELINING
"""


async def outcomes_of(script: str, *addresses: str, behind: tuple[str, ...] = ()):
    """`behind`: what is said over further connections."""
    world = world_with({"192.0.2.1": [HELLO + each for each in (script, *behind)]})
    outcomes = await Smtp(name="smtp").deliver(job_for(*addresses), world.services)
    await world.services.keep.quit()
    world.services.network.finish()
    return outcomes


async def test_a_reply_for_each_recipient():
    script = """
    S: 250 PRDR
    C: MAIL FROM:<alice@sender.example> PRDR
    C: RCPT TO:<a@example.net>
    C: RCPT TO:<b@example.net>
    C: RCPT TO:<c@example.net>
    C: DATA
    S: 250 ok
    S: 250 ok
    S: 250 ok
    S: 250 ok
    S: 354 go
    C: Subject: x
    C:
    C: ..dot
    C: .
    S: 353 looking
    S: 250 good
    S: 550 bad
    S: 450 later
    S: 250 done
    C: QUIT
    """
    outcomes = await outcomes_of(script, "a@example.net", "b@example.net", "c@example.net")
    assert [type(o) for o in outcomes] == [Delivered, Failed, Deferred]
    assert outcomes[0].is_prdr


async def test_one_recipient_needs_no_prdr():
    script = """
    S: 250 PRDR
    C: MAIL FROM:<alice@sender.example>
    C: RCPT TO:<a@example.net>
    C: DATA
    S: 250 ok
    S: 250 ok
    S: 354 go
    C: Subject: x
    C:
    C: ..dot
    C: .
    S: 250 done
    C: QUIT
    """
    [outcome] = await outcomes_of(script, "a@example.net")
    assert not outcome.is_prdr


async def test_no_more_recipients_at_once_than_the_host_takes():
    part = """
    C: MAIL FROM:<alice@sender.example>
    C: RCPT TO:<{}@example.net>
    C: DATA
    S: 250 ok
    S: 250 ok
    S: 354 go
    C: Subject: x
    C:
    C: ..dot
    C: .
    S: 250 done
    """
    script = "S: 250 LIMITS RCPTMAX=1" + part.format("a") + part.format("b") + "C: QUIT"
    outcomes = await outcomes_of(script, "a@example.net", "b@example.net")
    assert [type(o) for o in outcomes] == [Delivered, Delivered]
    assert [o.is_reused for o in outcomes] == [False, True]


async def test_who_was_put_off_is_not_offered_to_the_host_again():
    script = """
    S: 250 LIMITS RCPTMAX=1
    C: MAIL FROM:<alice@sender.example>
    C: RCPT TO:<a@example.net>
    C: DATA
    S: 250 ok
    S: 450 later
    S: 503 no recipients
    C: QUIT
    """
    again = script.replace("a@example", "b@example")
    outcomes = await outcomes_of(script, "a@example.net", "b@example.net", behind=(again,))
    assert [type(o) for o in outcomes] == [Deferred, Deferred]


async def test_a_refused_sender_is_refused_for_those_behind_it_too():
    script = """
    S: 250 LIMITS RCPTMAX=1
    C: MAIL FROM:<alice@sender.example>
    C: RCPT TO:<a@example.net>
    C: DATA
    S: 550 not you
    S: 503 no sender
    S: 503 no recipients
    C: QUIT
    """
    outcomes = await outcomes_of(script, "a@example.net", "b@example.net")
    assert [type(o) for o in outcomes] == [Failed, Failed]
    assert [o.startup for o in outcomes] == ["e", ""]


async def test_silence_about_one_recipient_is_noted_of_that_one():
    world = world_with(
        {
            "192.0.2.1": [
                HELLO
                + """
    S: 250 ok
    C: MAIL FROM:<alice@sender.example>
    C: RCPT TO:<a@example.net>
    C: RCPT TO:<b@example.net>
    C: DATA
    S: 250 ok
    S: 550 nobody
    S: (timeout)
    """
            ]
        }
    )
    outcomes = await Smtp(name="smtp").deliver(job_for("a@example.net", "b@example.net"), world.services)
    assert [type(o) for o in outcomes] == [Failed, Deferred]
    assert outcomes[1].retry_keys == ("R:b@example.net",)


async def test_a_small_message_goes_with_its_envelope():
    script = """
    S: 250 CHUNKING
    C: MAIL FROM:<alice@sender.example>
    C: RCPT TO:<a@example.net>
    C: BDAT 20 LAST
    C: Subject: x
    C:
    C: .dot
    S: 250 ok
    S: 250 ok
    S: 250 done
    C: QUIT
    """
    [outcome] = await outcomes_of(script, "a@example.net")
    assert isinstance(outcome, Delivered)
    assert outcome.chunking


async def test_a_message_that_went_for_nothing():
    script = """
    S: 250 CHUNKING
    C: MAIL FROM:<alice@sender.example>
    C: RCPT TO:<a@example.net>
    C: ~BDAT .*
    C: Subject: x
    C:
    C: .dot
    S: 250 ok
    S: 550 nobody
    S: 503 no recipients
    C: QUIT
    """
    [outcome] = await outcomes_of(script, "a@example.net")
    assert isinstance(outcome, Failed)
    assert "550 nobody" in outcome.reason.log
