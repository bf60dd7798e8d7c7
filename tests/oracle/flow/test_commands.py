"""Exim's command line against the real one's: listing, changing, submitting, running the queue, errors."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oracle.flow import command_options, command_scenarios
from tests.oracle.flow.commands import Side, Step, ours
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim() or ""
pytestmark = pytest.mark.skipif(not EXIM or os.geteuid() != 0, reason=f"{MISSING}; and root")
MAIL = "Subject: hi\n\nbody\n"
WAITING = Step("-odi joe@defer.example", MAIL)
TWO = Step("-odi fred@example.com joe@defer.example Ann@defer.example", MAIL)

SCENARIOS: dict[str, list[Step]] = {
    "empty-queue": [Step(f"-bp{letters}") for letters in ("", "c", "r", "a", "u", "i", "ra", "ru", "ri")],
    "list": [TWO, *(Step(f"-bp{letters}") for letters in ("", "c", "r", "a", "u", "i", "ra", "ru", "ri"))],
    "list-one": [WAITING, WAITING, Step("-bp {1}"), Step("-bp {2} {1}"), Step("-bpu {9}"), Step("-bp x")],
    "list-null-sender": [Step("-odq -f <> joe@defer.example", MAIL), Step("-bp"), Step("-bpc")],
    "freeze-thaw": [
        WAITING,
        *(
            Step(f"{option} {{1}}")
            for option in ("-Mf", "-Mf", "-bp", "-Mt", "-Mt", "-bp", "-Mf", "-M", "-bp")
        ),
    ],
    "freeze-several": [WAITING, WAITING, Step("-Mf {1} {2}"), Step("-Mt {2} {9} {1}"), Step("-bp")],
    "remove": [
        WAITING,
        WAITING,
        Step("-Mrm {1}"),
        Step("-bp"),
        Step("-Mrm {1}"),
        Step("-Mrm {1} {2}"),
        Step("-bpc"),
    ],
    "give-up": [WAITING, Step("-Mg {1}"), Step("-bpc"), Step("-Mg {1}")],
    "deliver": [WAITING, Step("-M {1}"), Step("-Mc {1}"), Step("-M {9}"), Step("-bp")],
    "recipients": [
        TWO,
        Step("-Mar {1}"),
        Step("-Mar {1} nodomain"),
        Step("-Mar {1} a@b@c"),
        Step("-Mar {1} new@defer.example two@defer.example"),
        Step("-Mar {9} new@defer.example"),
        Step("-Mmd {1}"),
        Step("-Mmd {1} nosuch@defer.example"),
        Step("-Mmd {1} joe@defer.example"),
        Step("-bp"),
        Step("-Mmad {1}"),
        Step("-bp"),
        Step("-M {1}"),
        Step("-bp"),
    ],
    "sender": [
        WAITING,
        Step("-Mes {1}"),
        Step("-Mes {1} a@b.example c@d.example"),
        Step("-Mes {1} nodomain"),
        Step("-Mes {1} new@sender.example"),
        Step("-bp"),
        Step("-Mes {1} <>"),
        Step("-bp"),
    ],
    "show": [
        Step("-odq -f a@b.example fred", MAIL),
        *(Step(f"-Mv{part} {{1}}") for part in "bc"),
        *(Step(f"-Mv{part} {{9}}") for part in "bhcl"),
        Step("-Mvh"),
        Step("-Mvh {1} {1}"),
        Step("-Mvh x"),
    ],
    "no-ids": [
        Step(f"-M{name}")
        for name in ("", "c", "f", "t", "g", "rm", "mad", "md", "ar", "es", "vb", "vh", "vl", "vc")
    ],
    "bad-ids": [
        Step(f"-M{name} x")
        for name in ("", "c", "f", "t", "g", "rm", "mad", "md", "ar", "es", "vb", "vh", "vl", "vc")
    ],
    "queue-run": [
        WAITING,
        WAITING,
        Step("-q"),
        Step("-qf"),
        Step("-Mf {1}"),
        Step("-qf"),
        Step("-qff"),
        Step("-bp"),
    ],
    "queue-run-from": [WAITING, WAITING, Step("-qf {2}"), Step("-qf {1} {1}"), Step("-q {9}")],
    "queue-run-first": [Step("-odq fred", MAIL), WAITING, Step("-qif"), Step("-bp")],
    "queue-run-matching": [
        Step("-odq -f one@a.example x@defer.example", MAIL),
        Step("-odq -f two@a.example y@defer.example", MAIL),
        Step("-R X@defer"),
        Step("-Rf y@"),
        Step("-S one@"),
        Step("-Sf TWO@"),
        Step("-Rff nosuch"),
    ],
    "submit": [
        Step("fred -odi", MAIL),
        Step("-odi fred", MAIL),
        Step("-odi fred,root", MAIL),
        Step("-odq fred@example.com", MAIL),
        Step("-bpc"),
        Step("-q"),
        Step("-bpc"),
    ],
    "submit-extract": [
        Step("-t -odi", "To: fred@example.com\nCc: x@gone.example\nBcc: y@gone.example\n\nbody\n"),
        Step("-t -odi root", "To: fred, root\n\nbody\n"),
        Step("-t -i -odi", "To: fred\n\nbody\n.\nmore\n"),
        Step("-t -odi", "To: fred\n\nbody\n.\nmore\n"),
        Step("-ti -odi", "To: A Person <fred@example.com>, group: x@gone.example, y@gone.example;\n\nbody\n"),
    ],
    "submit-sender": [
        Step("-f a@b.example -odi fred", MAIL),
        Step("-fa@b.example -odi fred", MAIL),
        Step("-r a@b.example -odi fred", MAIL),
        Step("-f <> -odi fred", MAIL),
        Step("-f short -odi fred", MAIL),
        Step("-f <a@b -odi fred", MAIL),
        Step("-odi -F Some_Body fred", MAIL),
    ],
    **{
        f"submit-errors-{how}": [
            Step(f"-oe{how} -odi a_b", MAIL),
            Step(f"-oe{how} -odi fred@", MAIL),
            Step(f"-oe{how} -odi fred a@b@c", MAIL),
            Step(f"-oe{how} -odi -t", "Subject: x\n\nbody\n"),
            Step(f"-oe{how} -odi fred", "Subject: spam\n\nbody\n"),
            Step("-bpc"),
        ]
        for how in "empqw"
    },
    "submit-about": [
        Step("-odi -oMa 10.1.2.3.44 -oMs host.example -oMr esmtpa -oMt who -oMi 10.9.8.7.25 fred", MAIL),
        Step("-odi -oMaa plain -oMai joe -oMas joe@x.example fred", MAIL),
        Step("-odi -p uucp:there.example fred", MAIL),
        Step("-odi -oMr x -oMr y fred", MAIL),
    ],
    "verbose": [
        Step("-v -odi fred", MAIL),
        Step("-v -odi joe@defer.example", MAIL),
        Step("-v -M {2}"),
        Step("-v -q"),
    ],
    "dry": [Step("-N -odi fred", MAIL)],
    "smtp": [
        Step(
            "-bs -odi",
            "HELO me\nMAIL FROM:<a@b.example>\nRCPT TO:<fred>\nRCPT TO:<bad@x.example>\nDATA\nSubject: x\n\nbody\n.\nQUIT\n",
        ),
    ],
    "batch": [
        Step(
            "-bS -odi",
            "MAIL FROM:<a@b.example>\nRCPT TO:<fred>\nDATA\nSubject: x\n\n..dot\n.\nMAIL FROM:<>\nRCPT TO:<root>\nDATA\n\n.\n",
        ),
        Step(
            "-bS -odi", "MAIL FROM:<a@b.example>\nRCPT TO:<fred>\nDATA\nSubject: x\n\nb\n.\nMAIL FROM:<a b>\n"
        ),
        Step("-bS -odi", "MAIL FROM:<a@b.example>\nDATA\n"),
        Step("-bS -odi", "DATA\n"),
        Step("-bS -odi", "RCPT TO:<fred>\n"),
        Step("-bS -odi", "MAIL FROM:<a@b.example>\nRCPT TO:<fred>\nDATA\nSubject: x\n"),
        Step("-bS -odi", ""),
    ],
    "information": [Step(f"-bI:{topic}") for topic in ("help", "", "nosuch", "modules")],
    "usage": [
        Step(""),
        *(
            Step(words)
            for words in [
                "-bpx",
                "-b",
                "-bz",
                "-bdx",
                "-bh",
                "-bem",
                "-C",
                "-Mx",
                "-o",
                "-oA",
                "-oBx",
                "-oM",
                "-oMa",
                "-oMx",
                "-oMr",
                "-oe",
                "-oex",
                "-oP",
                "-oX",
                "-od",
                "-odx",
                "-odqx",
                "-oiv",
                "-oix",
                "-or",
                "-orx",
                "-oZ",
                "-f",
                "-F",
                "-r",
                "-h",
                "-it",
                "-L",
                "-mx",
                "-Nx",
                "-O",
                "-p",
                "-tx",
                "-T",
                "-Tqt",
                "-vx",
                "-xx",
                "-X",
                "-y",
                "-z",
                "-K",
                "-Y",
                "-H",
                "-W",
                "-A",
                "-Ax",
                "-D",
                "-Dfoo",
                "-e",
                "-ex",
                "--foo",
                "-",
                "-R",
                "-S",
                "-qx",
                "-q10",
                "-q10x",
                "-MG",
                "-Mset",
                "-oMr_local",
                "-G",
                "-Am",
                "-Ac",
                "-B",
                "-B7BIT",
                "-U",
                "-oo",
                "-om",
                "-ov",
                "-oY",
                "-n",
                "-m",
                "-pd",
                "-ps",
            ]
        ),
        *(
            Step(words)
            for words in (
                "-bd x",
                "-q x",
                "-q10m x",
                "-Rx foo",
                "-or 5",
                "-os 5",
                "-bi x",
                "-MG foo",
                "-h 5",
                "-bd -q x",
            )
        ),
    ],
    **command_scenarios.SCENARIOS,
    **command_options.SCENARIOS,
}


@pytest.fixture
def sandbox() -> Iterator[Path]:
    """Where other users can get in, too: deliveries run as one."""
    with tempfile.TemporaryDirectory(prefix="commands-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


OTHERWISE = {
    "queue-regular": "bad-expressions",
    "ordinary-remove": "caller-first",
    "ordinary-freeze": "caller-first",
    "ordinary-pid-file": "mail-user",
}
"""Those that are meant; headings of docs/exim-compatibility.md."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.xfail(reason=OTHERWISE[name]) if name in OTHERWISE else ())
        for name in SCENARIOS
    ],
)
def test_says_and_logs_what_exim_does(name: str, sandbox: Path) -> None:
    real = Side(sandbox / "real", [EXIM], EXIM)
    mine = Side(sandbox / "mine", ours(), EXIM)
    for step in SCENARIOS[name]:
        expected, found = real.run(step), mine.run(step)
        assert found == expected
    assert mine.log() == real.log()
