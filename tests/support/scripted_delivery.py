"""A world whose addresses say what becomes of them: `later@remote.example` is deferred, `never@remote.example` refused, and so on."""

from typing import ClassVar

import msgspec
from tests.support.delivery_world import World, assigned

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Host, Postponed, Refused, Routed
from pillarbox.flow.transport.outcomes import intermediate
from pillarbox.flow.transport.transport import Transport
from pillarbox.flow.transport.transports.appendfile import Appendfile
from pillarbox.language.expand.template import Template
from pillarbox.mail.message import Message
from pillarbox.mail.outcome import Deferred, Delivered, Failed, RemoteHost
from pillarbox.mail.reply import Reason, Reply

MAILDIR = Appendfile(name="maildir", directory=Template.parse("/mail/$local_part_data"), maildir_format=True)


HOST = RemoteHost("mx.remote.example", "192.0.2.1")


class Scripted(Transport, driver="scripted_for_tests"):
    """Gives each address what the test says: `later`, `never`, anything else is delivered."""

    is_local = False
    carried: ClassVar[list[Message]] = []

    @property
    def addresses_per_job(self):
        return 10

    async def deliver(self, job, services):
        self.carried.append(job.message)
        outcomes = [self.one(a) for a in job.assignments]
        return [
            msgspec.structs.replace(one, is_additional=bool(n)) if isinstance(one, Delivered) else one
            for n, one in enumerate(outcomes)
        ]

    def one(self, assignment):
        facts = {
            "address": assignment.address,
            "recipient": assignment.candidate.recipient.address,
            "parents": intermediate(assignment),
            "done_name": assignment.done_name,
            "router": "r",
            "transport": "scripted",
            "host": HOST,
        }
        if assignment.address.startswith("later"):
            reason = Reason("Connection refused")
            keys = ("T:mx.remote.example:192.0.2.1",)
            return Deferred(**facts, reason=reason, retry_keys=keys, error="refused", error_detail="MX")
        if assignment.address.startswith("never"):
            return Failed(
                **facts, reason=Reason("SMTP error: 550 no"), reply=Reply(550, "no such user", "5.1.1")
            )
        return Delivered(**facts, reply=Reply(250, "OK"))


TRANSPORTS = {"maildir": MAILDIR, "scripted": Scripted(name="scripted")}


def answer(candidate: Candidate) -> Routed:
    match candidate.domain:
        case "local.example" | "sender.example" | "example.org":
            return assigned(candidate, "maildir")
        case "remote.example":
            return assigned(candidate, "scripted", hosts=(Host("mx.remote.example", ("192.0.2.1",)),))
        case "dns.example":
            later = Postponed(Reason("host lookup did not complete"), (f"R:{candidate.domain}",))
            return Routed(postponed=((candidate, later, "dnslookup"),))
        case "hole.example":
            return Routed(discarded=((candidate, "hole", ":blackhole:"),))
        case "list.example":
            children = [candidate.child(a, "list") for a in ("bob@local.example", "later@remote.example")]
            routed = [answer(c).assignments[0] for c in children]
            return Routed(assignments=tuple(routed))
    return Routed(refused=((candidate, Refused(Reason("Unrouteable address", "Unrouteable address")), ""),))


def world(**more) -> World:
    return World(answer, TRANSPORTS, retry=more.pop("retry", "* * F,4d,15m"), **more)


def waiting(w: World) -> list[str]:
    return list(w.spool.waiting())
