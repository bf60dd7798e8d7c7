"""Which retry rule is found, compared with `exim -brt`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.oracle.real_exim import MISSING, find_exim, run
from tests.support.configuration_texts import load_text

from pillarbox.app.configuration import declare_bases

declare_bases()
pytestmark = pytest.mark.oracle

CONFIGURATION = """\
primary_hostname = mail.example.org
begin retry
alice@wonderland.example quota_5d  F,1w,3h
wonderland.example       quota_5d
wonderland.example       *         F,1h,15m; G,2d,1h,2.0;
the.domain.name          rcpt_452  F,1h,10m
"*@*.looking.example"    timeout   F,1d,30m;
*                        refused_A F,2h,20m;
*                        *         F,2h,15m; G,16h,1h,1.5; F,5d,8h
"""


@pytest.mark.parametrize(
    ("address", "error", "as_outcome"),
    [
        ("joe@wonderland.example", "", ("", "")),
        ("alice@wonderland.example", "quota_5d", ("quota", str(5 * 86400))),
        ("bob@wonderland.example", "quota_5d", ("quota", str(5 * 86400))),
        ("x@the.domain.name", "rcpt_452", ("rcpt_4xx", "452")),
        ("x@the.domain.name", "rcpt_450", ("rcpt_4xx", "450")),
        ("x@a.looking.example", "timeout_connect", ("timeout_connect", "")),
        ("x@a.looking.example", "refused_A", ("refused", "A")),
        ("x@other.example", "refused_A", ("refused", "A")),
        ("x@other.example", "refused_MX", ("refused", "MX")),
        ("x@other.example", "", ("", "")),
    ],
)
def test_finds_the_same_rule(address: str, error: str, as_outcome: tuple[str, str], tmp_path: Path) -> None:
    exim = find_exim()
    if exim is None:
        pytest.skip(MISSING)
    configuration = tmp_path / "exim.conf"
    text = CONFIGURATION.replace("+loc                     *         F,3h,30m\n", "")
    configuration.write_text(f"spool_directory = {tmp_path}\nlog_file_path = {tmp_path}/%slog\n{text}")
    local, _, domain = address.partition("@")
    arguments = [f"{local}@{domain}", *([error] if error else [])]
    theirs = run(exim, "-C", str(configuration), "-brt", *arguments)
    rule = load_text(text).retry.find(address, *as_outcome)
    assert rule is not None
    assert settings_of(theirs.strip().removeprefix("Retry rule: ")) == settings_of(rule.text), theirs


def settings_of(text: str) -> list[str]:
    """Pattern and parameters; not the error, which Exim prints as `*` for some."""
    words = text.replace('"', "").replace(";", " ").split()
    return [words[0], *words[2:]]
