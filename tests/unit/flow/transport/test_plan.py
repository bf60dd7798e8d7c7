"""Which addresses share a copy."""

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment, Host
from pillarbox.flow.transport.plan import plan_jobs
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message

MX = (Host("a", ("192.0.2.1",), mx_preference=5), Host("b", ("192.0.2.2",), mx_preference=5))


def assignment(address: str, transport: str = "smtp", **more: object) -> Assignment:
    return Assignment(candidate=Candidate.first(Recipient(address)), router="r", transport=transport, **more)


def plan(assignments: list[Assignment], limit: int = 100) -> list[list[str]]:
    envelope = Envelope(id="x", sender=None, recipients=(), origin=Origin(), received_at=0.0)
    limits = {"smtp": limit, "local": 1}
    jobs = plan_jobs(envelope, Message(b"", MemoryBody(b"")), assignments, lambda name: limits[name])
    return [[a.address for a in job.assignments] for job in jobs]


def test_same_hosts_travel_together_whatever_the_order_of_equal_mx():
    assert plan(
        [
            assignment("a@x", hosts=MX),
            assignment("b@other", hosts=(MX[0],)),
            assignment("c@y", hosts=MX[::-1]),
        ]
    ) == [["a@x", "c@y"], ["b@other"]]


def test_order_matters_without_mx():
    plain = (Host("a", ("192.0.2.1",)), Host("b", ("192.0.2.2",)))
    assert plan([assignment("a@x", hosts=plain), assignment("b@x", hosts=plain[::-1])]) == [["a@x"], ["b@x"]]


def test_errors_to_and_header_changes_divide():
    assert plan(
        [
            assignment("a@x", hosts=MX),
            assignment("b@x", hosts=MX, errors_to="o@x"),
            assignment("c@x", hosts=MX, headers_add=("X: 1",)),
        ]
    ) == [["a@x"], ["b@x"], ["c@x"]]


def test_users_with_homes_of_their_own_travel_together():
    assert plan(
        [assignment("a@x", hosts=MX, home="/home/a"), assignment("b@x", hosts=MX, home="/home/b")]
    ) == [["a@x", "b@x"]]


def test_max_rcpt_cuts_and_local_deliveries_are_single():
    many = [assignment(f"{n}@x", hosts=MX) for n in range(5)]
    assert plan(many, limit=2) == [["0@x", "1@x"], ["2@x", "3@x"], ["4@x"]]
    assert plan([assignment("a@x", "local"), assignment("b@x", "local")]) == [["a@x"], ["b@x"]]


def test_more_transactions_than_jobs_side_by_side_share_a_job():
    envelope = Envelope(id="x", sender=None, recipients=(), origin=Origin(), received_at=0.0)
    many = [assignment(f"{n}@x", hosts=MX) for n in range(5)]
    jobs = plan_jobs(
        envelope, Message(b"", MemoryBody(b"")), many, lambda _: 2, in_one_job=lambda _, most: max(most, 3)
    )
    assert [len(job.assignments) for job in jobs] == [3, 2]
    assert [job.most_at_once for job in jobs] == [2, 2]
