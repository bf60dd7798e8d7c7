"""Main event_action: what the queue tells, and that a bad action stops nothing. The action here never works, and says what it saw."""

from tests.support.delivery_world import QueueSettings, World, assigned

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Refused, Routed
from pillarbox.flow.transport.transports.appendfile import Appendfile
from pillarbox.language.expand.template import Template
from pillarbox.mail.reply import Reason

MAILDIR = Appendfile(name="maildir", directory=Template.parse("/mail/x"), maildir_format=True)
ACTION = "${substr{<$event_name|$event_data|$local_part@$domain|$router_name|$sender_address>}{0}{x}}"


def answer(candidate: Candidate) -> Routed:
    if candidate.domain == "no.example":
        return Routed(refused=((candidate, Refused(Reason("gone", "gone")), "never"),))
    return assigned(candidate, "maildir")


async def told(*recipients: str) -> list[str]:
    settings = QueueSettings(event_action=ACTION)
    w = World(answer, {"maildir": MAILDIR}, retry="* * F,4d,15m", settings=settings)
    queued = await w.accept(*recipients, sender="c@here.example")
    await w.deliver(queued)
    assert not list(w.spool.waiting())
    mine = [line for line in w.journal.panics if line.startswith(queued.id)]
    assert all("failed to expand event_action msg:" in line for line in mine)
    return [line.partition("<")[2].partition(">")[0] for line in mine]


async def test_the_end_of_a_message():
    assert await told("a@here.example") == ["msg:complete||@||c@here.example"]


async def test_addresses_that_no_transport_has_seen():
    assert await told("a@here.example", "b@no.example") == [
        "msg:fail:internal|gone|b@no.example|never|c@here.example",
        "msg:complete||@||c@here.example",
    ]
