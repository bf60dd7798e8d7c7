"""What a harness that was written for Exim's test suite wants otherwise: reproducible results (`EXIM_TEST_HARNESS=1`).

Asked once at the start of a process, where the ports are made; nothing deeper looks at the environment. Without the variable nothing here has
any effect. What it changes stands in docs/commands.md.
"""

from __future__ import annotations

import os

SEED = 42
"""Of all host randomising."""
CHALLENGE = b"<1896.697170952@postoffice.reston.mci.net>"
"""RFC 2195's, for CRAM-MD5."""


def is_test_harness() -> bool:
    """Whether a harness that was written for Exim drives us."""
    return os.environ.get("EXIM_TEST_HARNESS") == "1"
