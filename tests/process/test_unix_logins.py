"""Users of the machine log in to IMAP, POP3 and submission, by PAM and by the shadow file (docs/decisions/0018)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.process, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]
LONG = "PILLARBOX_LONG" in os.environ


@pytest.mark.parametrize("way", ["pam", "shadow"] if LONG else ["pam"])
def test_a_user_of_the_machine_logs_in_everywhere(way: str) -> None:
    namespace = ["unshare", "-m", "--propagation", "private"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    command = [*namespace, sys.executable, "-m", "tests.process.unix_logins", way]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.splitlines()
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
        "b'[UNAVAILABLE] The mailbox cannot be opened at the moment'",
        "b'-ERR [SYS/TEMP] The maildrop cannot be opened at the moment'",
        "[Errno 13] Permission denied",
        "[Errno 13] Permission denied",
        "expanded right",
    ]
