"""Users of the machine log in to IMAP, POP3 and submission, by PAM and by the shadow file (docs/decisions/0018)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.process.prepared import keeps_root

pytestmark = [pytest.mark.process, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]
LONG = "PILLARBOX_LONG" in os.environ


REFUSED = "-ERR [AUTH] Wrong name or password"
EVERYWHERE = f"{REFUSED} | NO [AUTHENTICATIONFAILED] | 535 5.7.8"


CLOSED_TO_ALL = [
    "[UNAVAILABLE] The mailbox cannot be opened at the moment",
    "b'-ERR [SYS/TEMP] The maildrop cannot be opened at the moment'",
    "[Errno 13] Permission denied",
    "[Errno 13] Permission denied",
]


def told_by(module: str, way: str) -> list[str]:
    """The lines of a program that runs in a mount namespace of its own."""
    namespace = ["unshare", "-m", "--propagation", "private"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    command = [*namespace, sys.executable, "-m", module, way]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("way", ["pam", "shadow", "pam/nowhere"] if LONG else ["pam"])
def test_only_accounts_in_use_are_let_in(way: str) -> None:
    """Accounts that are locked, expired, without password, with one that must be changed first; root; nobody; a service that is not there."""
    told = told_by("tests.process.unix_account_states", way)
    is_there = way != "pam/nowhere"
    states = ("locked", "without", "expired", "old", "fresh", "root", "unknown", "well")
    assert told == [
        "well: +OK | OK | 235 2.7.0" if is_there else f"well: {EVERYWHERE}",
        *(f"{state}: {EVERYWHERE}" for state in states),
        *(["slow waits: True"] if way == "pam" else []),
        "slow: +OK" if is_there else f"slow: {REFUSED}",
    ]


@pytest.mark.parametrize("way", ["pam", "shadow"] if LONG else ["pam"])
def test_a_user_of_the_machine_logs_in_everywhere(way: str) -> None:
    told = told_by("tests.process.unix_logins", way)
    assert told == [
        "refused pat",
        "refused root",
        "refused nobody",
        "submitted",
        "popped",
        "read",
        "b'-ERR [IN-USE] Another POP3 session has this maildrop open'",
        "left [b'1']",
        "command: NOOP => [UNAVAILABLE] The mailbox has become unavailable",
        "owned by others: []",
        *([] if keeps_root() else CLOSED_TO_ALL),
        "expanded right",
    ]
