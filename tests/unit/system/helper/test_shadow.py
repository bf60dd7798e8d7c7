"""The shadow file: who is let in, as pam_unix has it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pillarbox.system.helper.passwords import check_login
from pillarbox.system.passwords import _crypt

PASSWORD = "a secret"
TODAY = int(time.time() // 86400)


@pytest.fixture(scope="module")
def setting() -> str:
    found = _crypt(PASSWORD.encode(), b"$5$saltofthetest$")
    assert found is not None
    return found.decode()


@pytest.mark.parametrize(
    ("entry", "is_let_in"),
    [
        ("{setting}:19000:0:99999:7:::", True),
        ("{setting}:::::::", True),
        ("{setting}", True),
        ("!{setting}:19000:0:99999:7:::", False),
        ("*:19000:0:99999:7:::", False),
        (":19000:0:99999:7:::", False),
        ("{setting}:0:0:99999:7:::", False),
        (f"{{setting}}:{TODAY - 28}:0:30:7:::", True),
        (f"{{setting}}:{TODAY - 32}:0:30:7:::", False),
        (f"{{setting}}:{TODAY - 32}:0:30:7:14::", False),
        (f"{{setting}}:19000:0:99999:7::{TODAY + 2}:", True),
        (f"{{setting}}:19000:0:99999:7::{TODAY - 1}:", False),
        ("{setting}:19000:0:99999:7::0:", False),
    ],
)
def test_only_accounts_in_use_are_let_in(tmp_path: Path, setting: str, entry: str, is_let_in: bool) -> None:
    shadow = tmp_path / "shadow"
    shadow.write_text(f"other:*:1::::::\npat:{entry.format(setting=setting)}\n")
    assert check_login("pat", PASSWORD, "", str(shadow)) is is_let_in
    assert not check_login("pat", "wrong", "", str(shadow))
    assert not check_login("pa", PASSWORD, "", str(shadow))
