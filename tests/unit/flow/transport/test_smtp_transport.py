"""The smtp and lmtp transports against scripted peers."""

import asyncio

import msgspec
import pytest
from tests.support.delivery_world import World, assigned
from tests.support.scripted_peer import ScriptedNetwork

from pillarbox.config.kinds import HostList
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment, Host
from pillarbox.flow.transport.job import SKIPPED, Job
from pillarbox.flow.transport.transports.lmtp import Lmtp
from pillarbox.flow.transport.transports.smtp import Smtp
from pillarbox.language.expand.template import Template
from pillarbox.language.match.named import NamedLists
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.outcome import Deferred, Delivered, Failed
from pillarbox.ports.hints import RetryHint
from pillarbox.ports.network import DialError

MX1 = Host("mx1.example.net", ("192.0.2.1",), mx_preference=10)
MX2 = Host("mx2.example.net", ("192.0.2.2",), mx_preference=20)
NO_QUIT = "C: QUIT"
REFUSED = DialError("refused", "Connection refused")
PIPELINED = """
S: 220 mx1
C: EHLO mail.example.org
S: 250-mx1
S: 250-SIZE 1000000
S: 250 PIPELINING
"""
ONE_MESSAGE = """
C: MAIL FROM:<alice@sender.example> SIZE=1043
C: RCPT TO:<bob@example.net>
C: DATA
S: 250 ok
S: 250 ok
S: 354 go
C: Subject: x
C:
C: ..dot
C: .
S: 250 2.0.0 queued as 1
"""
ID = "1vMXYZ-000000001Lk-1abc"
HOST_KEY = "T:mx1.example.net:192.0.2.1"


def world_with(peers, **more) -> World:
    return World(
        lambda c: assigned(c, "smtp"), {}, network=ScriptedNetwork(peers), retry="* * F,4d,15m", **more
    )


def job_for(*addresses: str, hosts=(MX1,), utf8=False, is_forced=False, message_id=ID, **envelope) -> Job:
    recipients = tuple(Recipient(a) for a in addresses)
    assignments = tuple(
        Assignment(candidate=Candidate.first(r), router="r", transport="smtp", hosts=hosts)
        for r in recipients
    )
    sealed = Envelope(
        id=message_id,
        sender=envelope.get("sender", "alice@sender.example"),
        recipients=recipients,
        origin=Origin(),
        received_at=1_700_000_000.0,
        smtputf8=utf8,
    )
    message = Message(b"Subject: x\n", MemoryBody(b".dot\n"))
    return Job(sealed, message, assignments, is_forced=is_forced)


async def send(world: World, job: Job, **options):
    transport = Smtp(name="smtp", **options)
    outcomes = await transport.deliver(job, world.services)
    await world.services.keep.quit()
    return outcomes


def hosts(source: str) -> HostList:
    return HostList.parse(source, NamedLists())


async def test_a_pipelined_message():
    world = world_with({"192.0.2.1": [PIPELINED + ONE_MESSAGE + NO_QUIT]})
    [outcome] = await send(world, job_for("bob@example.net"))
    world.services.network.finish()
    assert isinstance(outcome, Delivered)
    assert (outcome.host.name, outcome.host.address) == ("mx1.example.net", "192.0.2.1")
    assert str(outcome.reply) == "250 2.0.0 queued as 1"
    assert not outcome.is_reused


async def test_header_lines_are_removed_by_the_host_that_gets_the_message():
    without = ONE_MESSAGE.replace("C: Subject: x\n", "")
    world = world_with({"192.0.2.1": [PIPELINED + without + NO_QUIT]})
    names = "${if eq{$host_address}{192.0.2.1}{subject}}"
    [outcome] = await send(world, job_for("bob@example.net"), headers_remove=names)
    world.services.network.finish()
    assert isinstance(outcome, Delivered)


async def test_a_connection_reset_before_we_look_at_it_counts_as_made():
    world = world_with({"192.0.2.1": [DialError("lost_connection", "Connection reset by peer")]})
    [outcome] = await send(world, job_for("bob@example.net"))
    assert isinstance(outcome, Deferred)
    assert outcome.reason.log == "Remote host closed connection in response to initial connection"


async def test_without_extensions_one_command_at_a_time_after_helo():
    world = world_with(
        {
            "192.0.2.1": [
                """
                S: 220 old
                C: EHLO mail.example.org
                S: 502 what
                C: HELO mail.example.org
                S: 250 old
                C: MAIL FROM:<alice@sender.example>
                S: 250 ok
                C: RCPT TO:<bob@example.net>
                S: 250 ok
                C: DATA
                S: 354 go
                C: Subject: x
                C:
                C: ..dot
                C: .
                S: 250 ok
                C: QUIT
                """
            ]
        }
    )
    [outcome] = await send(world, job_for("bob@example.net"))
    world.services.network.finish()
    assert isinstance(outcome, Delivered)


async def test_each_recipient_has_its_own_fate():
    world = world_with(
        {
            "192.0.2.1": [
                PIPELINED
                + """
                C: MAIL FROM:<alice@sender.example> SIZE=1043
                C: RCPT TO:<good@example.net>
                C: RCPT TO:<gone@example.net>
                C: RCPT TO:<busy@example.net>
                C: DATA
                S: 250 ok
                S: 250 ok
                S: 550 5.1.1 no such user
                S: 451 4.2.1 greylisted
                S: 354 go
                C: Subject: x
                C:
                C: ..dot
                C: .
                S: 250 ok
                C: QUIT
                """
            ]
        }
    )
    good, gone, busy = await send(world, job_for("good@example.net", "gone@example.net", "busy@example.net"))
    world.services.network.finish()
    assert isinstance(good, Delivered)
    assert isinstance(gone, Failed)
    assert gone.reason.log == (
        "SMTP error from remote mail server after RCPT TO:<gone@example.net>: 550 5.1.1 no such user"
    )
    assert isinstance(busy, Deferred)
    assert busy.retry_keys == ("R:busy@example.net:<alice@sender.example>",)
    assert (busy.error, busy.error_detail) == ("rcpt_4xx", "451")


async def test_bdat_when_offered():
    world = world_with(
        {
            "192.0.2.1": [
                """
                S: 220 mx1
                C: EHLO mail.example.org
                S: 250-mx1
                S: 250-PIPELINING
                S: 250 CHUNKING
                C: MAIL FROM:<alice@sender.example>
                C: RCPT TO:<bob@example.net>
                S: 250 ok
                S: 250 ok
                C: BDAT 20 LAST
                C: Subject: x
                C:
                C: .dot
                S: 250 ok
                C: QUIT
                """
            ]
        }
    )
    [outcome] = await send(world, job_for("bob@example.net"))
    world.services.network.finish()
    assert isinstance(outcome, Delivered) and outcome.chunking


async def test_the_next_mx_takes_what_the_first_does_not():
    world = world_with({"192.0.2.1": [REFUSED], "192.0.2.2": [PIPELINED + ONE_MESSAGE + NO_QUIT]})
    [outcome] = await send(world, job_for("bob@example.net", hosts=(MX1, MX2)))
    world.services.network.finish()
    assert isinstance(outcome, Delivered) and outcome.host.name == "mx2.example.net"
    hint = world.hints.retries[HOST_KEY]
    assert (hint.next_try, hint.error) == (world.clock.now() + 900, "refused_MX")
    assert world.journal.lines == [f"{ID} H=mx1.example.net [192.0.2.1] Connection refused"]


async def test_a_host_is_left_alone_until_its_time():
    world = world_with({"192.0.2.2": [PIPELINED + ONE_MESSAGE + NO_QUIT]})
    now = world.clock.now()
    world.hints.put_retry(HOST_KEY, RetryHint(now - 100, now - 100, now + 800, text="Connection refused"))
    [outcome] = await send(world, job_for("bob@example.net", hosts=(MX1, MX2)))
    world.services.network.finish()
    assert isinstance(outcome, Delivered)
    assert HOST_KEY in world.hints.retries


async def test_a_dead_host_is_asked_once_by_all_who_come_at_the_same_time():
    world = world_with({"192.0.2.1": [REFUSED]})
    jobs = [job_for("bob@example.net", message_id=f"{ID[:-1]}{number}") for number in range(9)]
    outcomes = await asyncio.gather(*(Smtp(name="smtp").deliver(job, world.services) for job in jobs))
    world.services.network.finish()
    assert [outcome.error for [outcome] in outcomes] == ["refused", *[SKIPPED] * 8]


async def test_all_hosts_waiting_means_waiting_and_all_expired_means_failure():
    world = world_with({})
    now = world.clock.now()
    world.hints.put_retry(HOST_KEY, RetryHint(now - 100, now - 100, now + 800))
    [outcome] = await send(world, job_for("bob@example.net"))
    assert isinstance(outcome, Deferred) and outcome.error == SKIPPED
    assert outcome.reason.log == "retry time not reached for any host for 'example.net'"
    world.hints.put_retry(HOST_KEY, RetryHint(now - 100, now - 100, now + 800, is_expired=True))
    [outcome] = await send(world, job_for("bob@example.net"))
    assert isinstance(outcome, Failed)
    assert outcome.reason.log.startswith("all hosts for 'example.net' have been failing for a long time")


async def test_forced_and_expired_hints_do_not_hold_and_success_clears_them():
    world = world_with({"192.0.2.1": [PIPELINED + ONE_MESSAGE + NO_QUIT]})
    now = world.clock.now()
    world.hints.put_retry(HOST_KEY, RetryHint(now - 100, now - 100, now + 800))
    [outcome] = await send(world, job_for("bob@example.net", is_forced=True))
    assert isinstance(outcome, Delivered)
    assert world.hints.retries == {}


async def test_old_hints_are_not_believed():
    world = world_with({"192.0.2.1": [PIPELINED + ONE_MESSAGE + NO_QUIT]})
    now = world.clock.now()
    world.hints.put_retry(HOST_KEY, RetryHint(0.0, now - 8 * 86400, now + 800))
    [outcome] = await send(world, job_for("bob@example.net"))
    assert isinstance(outcome, Delivered)


@pytest.mark.parametrize(
    ("script", "kind", "key", "error"),
    [
        ("S: 554 go away\nC: QUIT", Failed, "", ""),
        ("S: 421 busy", Deferred, HOST_KEY, ""),
        ("S: (close)\nC: QUIT", Deferred, HOST_KEY, "lost_connection"),
        ("S: (timeout)", Deferred, HOST_KEY, "timeout"),
        (
            PIPELINED + "C: ~MAIL.*\nC: ~RCPT.*\nC: DATA\nS: 451 no\nS: 503 x\nS: 503 x\nC: QUIT",
            Deferred,
            f"{HOST_KEY}:{ID}",
            "mail_4xx",
        ),
        (
            PIPELINED + "C: ~MAIL.*\nC: ~RCPT.*\nC: DATA\nS: 552 too big\nS: 503 x\nS: 503 x\nC: QUIT",
            Failed,
            "",
            "",
        ),
        (
            PIPELINED + "C: ~MAIL.*\nC: ~RCPT.*\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 451 no\nC: QUIT",
            Deferred,
            f"{HOST_KEY}:{ID}",
            "data_4xx",
        ),
        (
            PIPELINED + "C: ~MAIL.*\nC: ~RCPT.*\nC: DATA\nS: (timeout)",
            Deferred,
            f"{HOST_KEY}:{ID}",
            "timeout",
        ),
        (
            PIPELINED + ONE_MESSAGE.replace("S: 250 2.0.0 queued as 1", "S: (close)"),
            Deferred,
            f"{HOST_KEY}:{ID}",
            "lost_connection",
        ),
        (PIPELINED + ONE_MESSAGE.replace("S: 250 2.0.0 queued as 1", "S: 554 spam\nC: QUIT"), Failed, "", ""),
    ],
)
async def test_errors_concern_host_message_or_recipient(script, kind, key, error):
    world = world_with({"192.0.2.1": [script]})
    [outcome] = await send(world, job_for("bob@example.net"))
    assert isinstance(outcome, kind), outcome
    if kind is Deferred:
        assert outcome.retry_keys == (key,)
        assert outcome.error == error
        assert key in world.hints.retries


TLS = """
S: 220 mx1
C: EHLO mail.example.org
S: 250-mx1
S: 250 STARTTLS
C: STARTTLS
"""


async def test_starttls_is_used_when_offered_and_ehlo_said_again():
    again = PIPELINED.replace("S: 220 mx1\n", "")
    world = world_with({"192.0.2.1": [TLS + "S: 220 go\nC: (tls)" + again + ONE_MESSAGE + NO_QUIT]})
    [outcome] = await send(world, job_for("bob@example.net"))
    world.services.network.finish()
    assert isinstance(outcome, Delivered)
    assert outcome.security.cipher.startswith("TLS1.3:")
    [wish] = world.services.network.opened[0].wishes
    assert wish.verify == "try"


async def test_a_failed_handshake_is_followed_by_a_try_in_clear():
    world = world_with({"192.0.2.1": [TLS + "S: 220 go\nC: (tls fails)", PIPELINED + ONE_MESSAGE + NO_QUIT]})
    [outcome] = await send(world, job_for("bob@example.net"))
    assert isinstance(outcome, Delivered) and not outcome.security.cipher


@pytest.mark.parametrize(
    "script", [TLS + "S: 220 go\nC: (tls fails)", TLS + "S: 454 no\nC: QUIT", PIPELINED + "C: QUIT"]
)
async def test_required_tls_never_falls_back(script):
    world = world_with({"192.0.2.1": [script]})
    [outcome] = await send(world, job_for("bob@example.net"), hosts_require_tls=hosts("*"))
    assert isinstance(outcome, Deferred)
    assert outcome.error == ("tls" if "tls fails" in script else "tls_required")


async def test_hosts_avoid_tls_and_verify_hosts():
    clear = TLS.replace("C: STARTTLS\n", "") + ONE_MESSAGE.replace(" SIZE=1043", "")
    step_by_step = """
    S: 220 mx1
    C: EHLO mail.example.org
    S: 250-STARTTLS
    S: 250 PIPELINING
    """
    assert clear
    world = world_with({"192.0.2.1": [step_by_step + ONE_MESSAGE.replace(" SIZE=1043", "") + NO_QUIT]})
    [outcome] = await send(world, job_for("bob@example.net"), hosts_avoid_tls=hosts("192.0.2.0/24"))
    assert isinstance(outcome, Delivered)
    world = world_with({"192.0.2.1": [TLS + "S: 220 go\nC: (tls fails)"]})
    [outcome] = await send(
        world, job_for("bob@example.net"), tls_verify_hosts=hosts("*"), tls_tempfail_tryclear=False
    )
    [wish] = world.services.network.opened[0].wishes
    assert wish.verify == "require" and wish.server_name == "mx1.example.net"
    assert isinstance(outcome, Deferred)


async def test_the_connection_is_kept_for_the_next_message():
    world = world_with({"192.0.2.1": [PIPELINED + ONE_MESSAGE + ONE_MESSAGE + NO_QUIT]})
    transport = Smtp(name="smtp")
    [first] = await transport.deliver(job_for("bob@example.net"), world.services)
    assert len(world.services.keep) == 1
    [second] = await transport.deliver(job_for("bob@example.net"), world.services)
    await world.services.keep.quit()
    world.services.network.finish()
    assert (first.is_reused, second.is_reused) == (False, True)


async def test_connection_max_messages_and_idle_time():
    world = world_with({"192.0.2.1": [PIPELINED + ONE_MESSAGE + NO_QUIT] * 2})
    transport = Smtp(name="smtp", connection_max_messages=1)
    await transport.deliver(job_for("bob@example.net"), world.services)
    await transport.deliver(job_for("bob@example.net"), world.services)
    world.services.network.finish()
    world = world_with({"192.0.2.1": [PIPELINED + ONE_MESSAGE + NO_QUIT]})
    await Smtp(name="smtp").deliver(job_for("bob@example.net"), world.services)
    for _ in range(20):
        await world.clock.sleep(1.0)
    assert len(world.services.keep) == 0
    world.services.network.finish()


@pytest.mark.parametrize("death", ["S: (close)", "S: 421 idle too long\nS: (close)"])
async def test_a_kept_connection_that_died_is_replaced(death):
    stale = PIPELINED + ONE_MESSAGE + "C: ~MAIL.*\nC: ~RCPT.*\nC: DATA\n" + death
    world = world_with({"192.0.2.1": [stale, PIPELINED + ONE_MESSAGE + NO_QUIT]})
    transport = Smtp(name="smtp")
    await transport.deliver(job_for("bob@example.net"), world.services)
    [second] = await transport.deliver(job_for("bob@example.net"), world.services)
    await world.services.keep.quit()
    world.services.network.finish()
    assert isinstance(second, Delivered) and not second.is_reused
    assert not world.hints.retries


async def test_after_a_refused_message_the_connection_is_reset():
    refused = "C: ~MAIL.*\nC: RCPT TO:<bob@example.net>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 554 no valid recipients\n"
    world = world_with({"192.0.2.1": [PIPELINED + refused + "C: RSET\nS: 250 ok\n" + ONE_MESSAGE + NO_QUIT]})
    transport = Smtp(name="smtp")
    [first] = await transport.deliver(job_for("bob@example.net"), world.services)
    [second] = await transport.deliver(job_for("bob@example.net"), world.services)
    await world.services.keep.quit()
    world.services.network.finish()
    assert isinstance(first, Failed) and isinstance(second, Delivered)


async def test_utf8_becomes_ascii_where_smtputf8_is_missing():
    talk = ONE_MESSAGE.replace("bob@", "xn--bb-5ja@")
    world = world_with({"192.0.2.1": [PIPELINED + talk + NO_QUIT]})
    [outcome] = await send(world, job_for("bób@example.net", utf8=True))
    assert isinstance(outcome, Delivered)
    assert outcome.address == "bób@example.net"


async def test_utf8_needs_smtputf8():
    world = world_with({"192.0.2.1": [PIPELINED + NO_QUIT]})
    as_it_is = Template.parse("0")
    [outcome] = await send(world, job_for("bób@example.net", utf8=True), utf8_downconvert=as_it_is)
    assert isinstance(outcome, Failed)
    assert outcome.reason.log == "utf8 support required but not offered for forwarding"
    offered = PIPELINED.replace("S: 250 PIPELINING", "S: 250-SMTPUTF8\nS: 250 PIPELINING")
    talk = ONE_MESSAGE.replace("SIZE=1043", "SIZE=1043 SMTPUTF8").replace("bob@", "bób@")
    world = world_with({"192.0.2.1": [offered + talk + NO_QUIT]})
    [outcome] = await send(world, job_for("bób@example.net", utf8=True))
    world.services.network.finish()
    assert isinstance(outcome, Delivered)


async def test_hosts_max_try_counts_addresses_but_looks_at_each_mx():
    many = Host("mx1.example.net", tuple(f"192.0.2.{n}" for n in range(1, 9)), mx_preference=10)
    last = Host("mx9.example.net", ("192.0.2.99",), mx_preference=20)
    world = world_with({f"192.0.2.{n}": [REFUSED] for n in [*range(1, 9), 99]})
    [outcome] = await send(world, job_for("bob@example.net", hosts=(many, last)), hosts_max_try=3)
    assert isinstance(outcome, Deferred)
    assert [address for address, _ in world.services.network.dialled] == [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
        "192.0.2.99",
    ]
    assert len(outcome.retry_keys) == 4


async def test_lmtp_has_a_reply_for_each_recipient():
    world = world_with(
        {
            "/run/lmtp": [
                """
                S: 220 store
                C: LHLO mail.example.org
                S: 250-store
                S: 250 PIPELINING
                C: MAIL FROM:<alice@sender.example>
                S: 250 ok
                C: RCPT TO:<a@example.net>
                S: 250 ok
                C: RCPT TO:<b@example.net>
                S: 550 no
                C: RCPT TO:<c@example.net>
                S: 250 ok
                C: DATA
                S: 354 go
                C: Subject: x
                C:
                C: ..dot
                C: .
                S: 250 ok
                S: 452 4.2.2 full
                C: QUIT
                """
            ]
        }
    )
    transport = Lmtp(name="lmtp", socket=Template.parse("/run/lmtp"), batch_max=10)
    outcomes = await transport.deliver(
        job_for("a@example.net", "b@example.net", "c@example.net"), world.services
    )
    await world.services.keep.quit()
    world.services.network.finish()
    assert [type(o) for o in outcomes] == [Delivered, Failed, Deferred]


async def test_a_fault_of_ours_does_not_forget_what_a_host_took():
    world = world_with(
        {
            "192.0.2.1": [
                PIPELINED
                + """
                C: ~MAIL.*
                C: RCPT TO:<good@example.net>
                C: RCPT TO:<busy@example.net>
                C: DATA
                S: 250 ok
                S: 250 ok
                S: 451 later
                S: 354 go
                C: Subject: x
                C:
                C: ..dot
                C: .
                S: 250 ok
                C: QUIT
                """
            ],
            "192.0.2.2": [ValueError("a bug")],
        }
    )
    good, busy = await send(world, job_for("good@example.net", "busy@example.net", hosts=(MX1, MX2)))
    assert isinstance(good, Delivered) and isinstance(busy, Deferred)
    assert "a bug" in world.journal.panics[0]


async def test_smtps_begins_with_tls_and_has_its_own_port():
    talk = PIPELINED + ONE_MESSAGE + NO_QUIT
    world = world_with({"192.0.2.1": ["C: (tls)" + talk]})
    [outcome] = await send(world, job_for("bob@example.net"), protocol=Template.parse("smtps"))
    assert isinstance(outcome, Delivered) and outcome.security.cipher
    assert world.services.network.dialled == [("192.0.2.1", 465)]


async def test_affixes_stay_at_home():
    world = world_with({"192.0.2.1": [PIPELINED + ONE_MESSAGE + NO_QUIT]})
    job = job_for("bob+list@example.net")
    affixed = msgspec.structs.replace(job.assignments[0], local_part="bob", local_part_suffix="+list")
    [outcome] = await send(world, msgspec.structs.replace(job, assignments=(affixed,)))
    world.services.network.finish()
    assert isinstance(outcome, Delivered)
