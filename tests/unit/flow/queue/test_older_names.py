"""Queues of older versions: what they noted as done is not done again, where it is sure whose it was."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.delivery_world import World
from tests.support.scripted_delivery import TRANSPORTS, answer

from pillarbox.flow.queue.older_names import without_done
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.progress import Settled


@pytest.mark.parametrize(
    ("noted", "recipients", "expected"),
    [
        ("|cmd:one@a.test", ("one@a.test", "two@a.test"), True),
        ("|cmd:two@a.test", ("one@a.test", "two@a.test"), False),
        ("|cmd", ("one@a.test", "two@a.test"), False),
        ("|cmd/aliases", ("one@a.test", "two@a.test"), False),
        ("|cmd", ("one@a.test",), True),
        ("|cmd/aliases", ("one@a.test",), True),
        ("|cmd/others", ("one@a.test",), False),
    ],
)
async def test_of_a_pipe(noted: str, recipients: tuple[str, ...], expected: bool) -> None:
    queued = await World(answer, TRANSPORTS).accept(*recipients)
    queued = msgspec.structs.replace(queued, progress=queued.progress.after([Settled(noted, 1.0)]))
    parent = Candidate.first(Recipient("one@a.test"))
    child = msgspec.structs.replace(parent.child("|cmd", "aliases"), is_generated=True)
    delivery = Assignment(candidate=child, router="aliases", transport="pipes")
    assert without_done([delivery], queued) == ([] if expected else [delivery])


async def test_of_a_copy() -> None:
    queued = await World(answer, TRANSPORTS).accept("one@a.test", "two@a.test")
    queued = msgspec.structs.replace(
        queued, progress=queued.progress.after([Settled("one@a.test/local", 1.0)])
    )
    below_itself = Candidate.first(Recipient("one@a.test")).child("one@a.test", "aliases")
    done = Assignment(candidate=below_itself, router="local", transport="box")
    other = msgspec.structs.replace(done, router="other")
    assert without_done([done, other], queued) == [other]
    of_that_name = msgspec.structs.replace(other, transport="local")
    assert without_done([done, of_that_name], queued) == [done], "today that is what the other is called"
