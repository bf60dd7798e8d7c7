"""Users of the machine read /var/mail/USER by POP3 and IMAP, beside deliveries and other mail programs (docs/decisions/0020)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.process, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


def test_mail_in_the_spool_directory_is_read_there() -> None:
    namespace = ["unshare", "-m", "--propagation", "private"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    command = [*namespace, sys.executable, "-m", "tests.process.unix_mbox"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "popped 3",
        "fetched 3",
        "expunged [('OK', [b'2'])]",
        "left ['2 two', '4 four', '5 five']",
        "rewritten ['2 two', '5 five', '6 six'] [b'']",
        "inbox ['2 two', '6 six', '7 seven'] [b'3']",
        "work ['1 two', '2 five']",
        "idle b'* 4 EXISTS'",
        "nothing of others",
        "file True True 0o660",
        "locks left: []",
        "owned by others: []",
    ]
