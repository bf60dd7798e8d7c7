"""What has come of addresses in the routers alone."""

from __future__ import annotations

import msgspec

from pillarbox.flow.queue.routed import ErrorsTo, routing_outcomes
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Postponed, Refused, Routed
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.reply import Reason

BOB = Candidate.make("bob@c.test", Recipient("bob@c.test"))
QUIET = msgspec.structs.replace(BOB, ignores_errors=True)


def test_nobody_hears_of_a_failure_that_a_filter_wants_ignored() -> None:
    errors_to: ErrorsTo = {}
    routing_outcomes(Routed(refused=((QUIET, Refused(Reason("no")), "r"),)), errors_to)
    assert errors_to == {("bob@c.test", "bob@c.test"): ""}


def test_nor_of_a_postponement_that_may_become_one() -> None:
    errors_to: ErrorsTo = {}
    routing_outcomes(Routed(postponed=((QUIET, Postponed(Reason("later")), "r"),)), errors_to)
    assert errors_to == {("bob@c.test", "bob@c.test"): ""}


def test_postponements_of_others_are_told_to_whom_the_router_named() -> None:
    errors_to: ErrorsTo = {}
    told = msgspec.structs.replace(BOB, errors_to="boss@c.test")
    routing_outcomes(Routed(postponed=((told, Postponed(Reason("later")), "r"),)), errors_to)
    assert errors_to == {("bob@c.test", "bob@c.test"): "boss@c.test"}
