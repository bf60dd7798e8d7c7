"""What the machine decides: `primary_hostname` where nobody has set it, and whose time zone counts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.oracle.flow.commands import ours
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim() or ""
pytestmark = pytest.mark.skipif(
    not EXIM or os.geteuid() != 0 or not shutil.which("unshare"), reason=f"{MISSING}; and root, and unshare"
)
ENTER = 'mount --bind "$1" /etc/hosts; hostname "$2"; shift 2; exec "$@"'
LOCALHOST = "127.0.0.1 localhost\n"


def said(program: list[str], hosts: Path, name: str) -> str:
    namespace = ("unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", ENTER, "sh")
    command = [
        *namespace,
        hosts,
        name,
        *program,
        "-C",
        "/dev/null",
        "-be",
        "$primary_hostname $qualify_domain",
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize(
    ("name", "hosts", "own"),
    [
        ("mx", "127.0.1.1 mx.example.com mx\n", "mx.example.com"),
        ("mx", "127.0.1.1 mx mx.example.com\n", "mx"),
        ("mx", "127.0.1.1 four.example.com mx\n::1 six.example.com mx\n", "six.example.com"),
        ("mx", "127.0.1.1 MX.Example.COM mx\n", "MX.Example.COM"),
        ("mx.example.org", "127.0.1.1 other.example.com mx.example.org\n", "mx.example.org"),
    ],
)
def test_the_resolver_completes_it(tmp_path: Path, name: str, hosts: str, own: str) -> None:
    file = tmp_path / "hosts"
    file.write_text(LOCALHOST + hosts)
    ours_says = said(ours(), file, name)
    assert ours_says == said([EXIM], file, name)
    assert ours_says == f"{own} {own}\n"


@pytest.mark.parametrize("zone", ["", "Asia/Kolkata", "EST5EDT"])
@pytest.mark.parametrize("callers", [{}, {"TZ": "Europe/Berlin"}, {"TZ": ":Nonsense/X"}])
def test_the_zone_is_the_configuration_s(tmp_path: Path, zone: str, callers: dict[str, str]) -> None:
    file = tmp_path / "conf"
    file.write_text(f"timezone = {zone}\nkeep_environment = TZ\n" if zone else "keep_environment = TZ\n")
    surroundings = {name: value for name, value in os.environ.items() if name != "TZ"} | callers
    told = [
        subprocess.run(
            [*program, "-C", file, "-be", "$tod_zone ${env{TZ}{$value}{none}}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=surroundings,
        ).stdout
        for program in (ours(), [EXIM])
    ]
    assert told[0] == told[1]
