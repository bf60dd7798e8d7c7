"""How the log names what was carried, where the address came with capitals."""

import pytest
from tests.support.delivery_world import assigned

from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.transport.outcomes import delivered
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.outcome import RemoteHost
from pillarbox.wire.exim.outcome_line import line_outcome


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("bob@out.test", "bob@out.test"),
        ("Up@out.test", "up@out.test <Up@out.test>"),
        ("Bob@OUT.Test", "bob@out.test <Bob@OUT.Test>"),
        ("bob@OUT.Test", "bob@out.test"),
    ],
)
def test_the_log_names_an_address_as_routers_saw_it(address: str, told: str) -> None:
    [assignment] = assigned(Candidate.first(Recipient(address)), "smtp").assignments
    outcome = delivered(assignment, host=RemoteHost("mx.out.test", "192.0.2.1"))
    assert f" => {told} R=r T=smtp " in line_outcome("ID", outcome)
