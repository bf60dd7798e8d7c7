"""Speaking before the host does (`hosts_pipe_connect`), against scripted peers."""

import msgspec
from tests.support.delivery_world import World
from tests.unit.flow.transport.test_smtp_transport import MX1, hosts, job_for, send, world_with

from pillarbox.backends.hints.records import MemoryRecords
from pillarbox.flow.transport.attempt.early import Kept, read_kept
from pillarbox.mail.outcome import Deferred, Delivered, Failed
from pillarbox.ports.hint_records import HintRecord
from pillarbox.wire.smtp.extensions import Extensions

KEY = "192.0.2.1:25.EHLO"
WELCOME = Extensions(pipelining=True, pipeconnect=True)
FIRST = "S: 220 mx1\nC: EHLO mail.example.org\n"
OFFER = "S: 250-mx1\nS: 250-PIPECONNECT\nS: 250 PIPELINING\n"
ENVELOPE = "C: MAIL FROM:<alice@sender.example>\nC: RCPT TO:<bob@example.net>\nC: DATA\n"
TAKEN = "S: 250 ok\nS: 250 ok\nS: 354 go\n"
MESSAGE = "C: Subject: x\nC:\nC: ..dot\nC: .\nS: 250 queued\nC: QUIT\n"
AHEAD = f"C: EHLO mail.example.org\n{ENVELOPE}S: 220 mx1\n"


async def deliver(script: str, records: MemoryRecords) -> tuple[object, World]:
    world = world_with({"192.0.2.1": [script]})
    world.services.records = records
    [outcome] = await send(world, job_for("bob@example.net"), hosts_pipe_connect=hosts("*"))
    world.services.network.finish()
    return outcome, world


def kept_in(records: MemoryRecords) -> Kept | None:
    record = records.read("misc", KEY)
    return None if record is None else read_kept(record)


def knowing(kept: Kept) -> MemoryRecords:
    records = MemoryRecords()
    record = HintRecord(1_700_000_000.0, msgspec.json.encode(kept).decode())
    records.change("misc", KEY, lambda _: record)
    return records


async def test_the_first_time_the_banner_is_waited_for() -> None:
    records = MemoryRecords()
    outcome, _ = await deliver(FIRST + OFFER + ENVELOPE + TAKEN + MESSAGE, records)
    assert isinstance(outcome, Delivered)
    assert outcome.pipelining == "L"
    assert kept_in(records) == Kept(clear=WELCOME)


async def test_the_second_time_everything_goes_ahead_of_the_banner() -> None:
    records = knowing(Kept(clear=WELCOME))
    outcome, _ = await deliver(AHEAD + OFFER + TAKEN + MESSAGE, records)
    assert isinstance(outcome, Delivered)
    assert outcome.pipelining == "L*"
    assert kept_in(records) == Kept(clear=WELCOME)


async def test_what_is_offered_no_longer_is_forgotten() -> None:
    records = knowing(Kept(clear=WELCOME))
    outcome, _ = await deliver(f"{AHEAD}S: 250-mx1\nS: 250 PIPELINING\n{TAKEN}{MESSAGE}", records)
    assert isinstance(outcome, Delivered)
    assert outcome.pipelining == "L"
    assert kept_in(records) is None


async def test_what_is_offered_besides_is_kept() -> None:
    records = knowing(Kept(clear=WELCOME))
    await deliver(
        f"{AHEAD}S: 250-mx1\nS: 250-PIPECONNECT\nS: 250-DSN\nS: 250 PIPELINING\n{TAKEN}{MESSAGE}", records
    )
    assert kept_in(records) == Kept(clear=msgspec.structs.replace(WELCOME, dsn=True))


async def test_a_banner_that_refuses() -> None:
    records = knowing(Kept(clear=WELCOME))
    outcome, _ = await deliver(f"C: EHLO mail.example.org\n{ENVELOPE}S: 554 no\n", records)
    assert isinstance(outcome, Failed)
    assert outcome.reason.log.endswith("after pipelined DATA: 554 no")
    assert kept_in(records) is None


async def test_ehlo_refused_is_no_reason_to_give_the_message_back() -> None:
    records = knowing(Kept(clear=WELCOME))
    outcome, _ = await deliver(f"{AHEAD}S: 502 no\nS: 503 no\nS: 503 no\nS: 503 no\n", records)
    assert isinstance(outcome, Deferred)
    assert kept_in(records) is None


async def test_a_host_that_hangs_up_is_asked_properly_next_time() -> None:
    records = knowing(Kept(clear=WELCOME))
    outcome, _ = await deliver(f"C: EHLO mail.example.org\n{ENVELOPE}S: (close)\n", records)
    assert isinstance(outcome, Deferred)
    assert kept_in(records) is None


async def test_chunks_that_are_wanted_no_longer() -> None:
    records = knowing(Kept(clear=msgspec.structs.replace(WELCOME, chunking=True)))
    begin = ENVELOPE.replace("C: DATA", "C: BDAT 20 LAST\nC: Subject: x\nC:\nC: .dot")
    outcome, _ = await deliver(
        f"C: EHLO mail.example.org\n{begin}S: 220 mx1\n{OFFER}S: 250 ok\nS: 250 ok\nS: 500 what\n", records
    )
    assert isinstance(outcome, Deferred)
    assert kept_in(records) == Kept(clear=WELCOME)


async def test_what_is_too_old_counts_for_nothing() -> None:
    records = knowing(Kept(clear=WELCOME))
    world = world_with({"192.0.2.1": [FIRST + OFFER + ENVELOPE + TAKEN + MESSAGE]})
    world.services.records, world.services.retry_data_expire = records, -1.0
    [outcome] = await send(world, job_for("bob@example.net", hosts=(MX1,)), hosts_pipe_connect=hosts("*"))
    assert isinstance(outcome, Delivered)
    assert outcome.pipelining == "L"
