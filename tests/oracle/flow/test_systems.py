"""Whole machines: the real Exim's and ours, put up alike, live through the same letters; everything that can be seen is compared.

The chapter's configurations as they stand (the real one has what `pillarbox config convert` makes of them), and Debian's in each of its set-up
kinds. `make test` runs a short life of one of them; PILLARBOX_LONG=1 all.
"""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.oracle import debian
from tests.oracle.flow.systems import servers, town
from tests.oracle.flow.systems.machine import MISSING as NO_MACHINE
from tests.oracle.flow.systems.machine import Machine, can_run
from tests.oracle.flow.systems.watching import Watcher
from tests.oracle.real_exim import MISSING, find_exim

pytestmark = pytest.mark.oracle

_REPOSITORY = Path(__file__).parents[3]
_REFERENCE = Path(os.environ.get("PILLARBOX_REFERENCE", _REPOSITORY.parent / "shared" / "reference"))
_CHAPTER = sorted((_REFERENCE / "configs").glob("exim3-*.conf"))
_SYSTEMS = [path.stem for path in _CHAPTER] + [f"debian-{kind}" for kind in debian.KINDS if kind != "none"]
_IS_LONG = bool(os.environ.get("PILLARBOX_LONG"))
_STEPS = town.STEPS if _IS_LONG else town.SAMPLE
_CHOSEN = _SYSTEMS if _IS_LONG else ["exim3-default-3.16" if _CHAPTER else "debian-internet"]
_EXIM_LOGS = "log/exim4"
_OUR_LOGS = "spool/exim4/log"
"""The two defaults: Debian's Exim has another one than Exim's own, which is ours."""


@pytest.fixture(scope="module")
def exim() -> str:
    if not can_run():
        pytest.skip(NO_MACHINE)
    found = find_exim()
    if found is None:
        pytest.skip(MISSING)
    return found


@pytest.fixture
def place() -> Iterator[Path]:
    """Reachable for everybody, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="pillarbox-system-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.parametrize("system", _CHOSEN)
def test_lives_alike(exim: str, place: Path, system: str) -> None:
    _compare(exim, place, system, "", _STEPS)


@pytest.mark.skipif(not _IS_LONG, reason="only with PILLARBOX_LONG=1")
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler for the clock")
def test_days_pass_alike(exim: str, place: Path) -> None:
    """Retries and warnings: Debian's usual configuration, mail that does not get out, and a clock that is moved for both."""
    source = Path(__file__).parent / "queueing" / "later.c"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", place / "later.so", source, "-ldl"], check=True, timeout=30
    )
    clock = servers.install_clock(place / "later.so")
    _compare(exim, place, "debian-internet", clock, town.DAYS, runs="")


def _compare(
    exim: str, place: Path, system: str, more: str, steps: tuple[town.Step, ...], runs: str = "-q30m"
) -> None:
    def live(name: str, install: str, logs: str) -> list[tuple[str, str]]:
        with Machine(place / name, town.NAME, install + more) as machine:
            watcher = Watcher(machine, place / name / logs)
            return list(town.live(machine, watcher, steps, runs))

    real = f"{servers.install_real(exim)}\n{_configuration(system, is_real=True)}"
    ours = f"{servers.install_ours(exim)}\n{_configuration(system, is_real=False)}"
    with ThreadPoolExecutor(2) as both:
        theirs = both.submit(live, "real", real, _EXIM_LOGS)
        mine = both.submit(live, "ours", ours, _OUR_LOGS)
        pairs = list(zip(theirs.result(), mine.result(), strict=True))
    different = [_difference(title, a, b) for (title, a), (_, b) in pairs if a != b]
    assert not different, "\n".join(different)


def _configuration(system: str, *, is_real: bool) -> str:
    if system.startswith("debian-"):
        return town.FILES + _debian(system.removeprefix("debian-"))
    source = _REFERENCE / "configs" / f"{system}.conf"
    text = source.read_text()
    owner = (
        "chown -R mail:mail /var/spool/exim4 /var/log/exim4 /run/exim4\n"
        if "exim_user = mail" in text
        else ""
    )
    if not is_real:
        return town.FILES + servers.configure("/etc/exim.conf", text) + owner
    command = [str(Path(sys.executable).parent / "pillarbox"), "config", "convert", str(source)]
    converted = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return town.FILES + servers.configure("/etc/exim4/exim4.conf", converted) + owner


def _debian(kind: str) -> str:
    roots = debian.find_configurations()
    if not roots:
        pytest.skip(debian.MISSING)
    return servers.install_debian(roots[-1], kind, town.NAME)


def _difference(title: str, real: str, ours: str) -> str:
    lines = difflib.unified_diff(real.splitlines(), ours.splitlines(), "real", "ours", lineterm="", n=2)
    return "\n".join((title, *lines))
