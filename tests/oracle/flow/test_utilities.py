"""Exim's utilities and ours on the same queue and log, which the real exim has made: what they print, and their exit codes.

Lines are compared sorted where Exim's come in the order of a hash.
"""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from bench.servers.server import PEERS
from tests.oracle.flow.commands import Side, Step, ours
from tests.oracle.flow.levelling import AGES, BOUNCE_SIZES, LOG_STAMPS, level
from tests.oracle.real_exim import MISSING, find_exim

EXIM = find_exim() or ""
REAL = PEERS / "exim-current/root/usr/sbin"
pytestmark = pytest.mark.skipif(
    not EXIM or os.geteuid() != 0 or not (REAL / "exiqgrep").exists(),
    reason=f"{MISSING}; its utilities, and root",
)
MAIL = "Subject: hi\n\nbody\n"
WAITING = (
    "-odi joe@defer.example",
    "-odi -f <> joe@defer.example ann@defer.example",
    "-odq -f a@b.example fred x@y.example fred@example.com",
    "-odi nosuch",
    "-odi fred joe@defer.example",
    "-odq -f B@b.example x@Y.example",
)
SELECTIONS = (
    "", "-h", "-f b.example", "-f ^<>$", "-r defer", "-r fred -a", "-s 2", "-y 100", "-o 100", "-z", "-x", "-c", "-c -r joe", "-l -f .",
    "-i -f .", "-b -f .", "-R -i", "-R -f .", "-a", "-i", "-b", "-l", "-zx", "-bi", "-ci", "-q", "-r JOE", "-f B@B", "-r x@y",
    "-s ^2", "-bz", "-izR",
)  # fmt: skip
SUMMARIES = ("", "-a", "-c", "-b", "-f", "-s", "-x", "-abf", "-sc", "-z", "--help")
SEARCHES = (
    "joe LOG", "-v joe LOG", "-M nosuch LOG", "-l a.b LOG", "-I JOE LOG", "JOE LOG", "-t 1 joe LOG", "-t 0 fred LOG", "", "joe /nosuch",
    "-v -M fred LOG", "-x fred LOG", "--invert joe LOG", "--literal a.b LOG", "--related nosuch LOG", "--sensitive JOE LOG",
)  # fmt: skip
LOCKS = (
    "BOX true", "-q BOX true", "-fcntl BOX true",
    "-flock BOX false", "-lockfile BOX true", "-mbx BOX true", "-q -fcntl /nosuch/box true", "-x BOX",
    "-lockfile NEW exit$IFS''3", "", "-restore-times BOX true",
)  # fmt: skip
DATES = (
    "", "NEW", "-u NEW", "-z NEW", "-l NEW", "--pid NEW", "-u OLD", "-u -p NEW 1vMXYZ-000000001Lk-1abd", "-z -l -u NEW", "x", "1vMXYZ",
    "-u xNEW", "-u NEW-H", "-u NEW-D", "-b 36 -u NEW", "-b 36 -u 1VMXYZ-00001L-1A", "-b 36 -u --pid 1VMXYZ-0000000001L-001A",
    "-b 7 NEW", "-u x 1xVBlU", "--localhost_number none -u OLD", "--localhost_number 5 -u OLD", "--localhost_number 1 -u NEW",
    "--localhost_number 0 -u 1xVBlU-000000002vd-1Fbs", "--localhost_number 1 -u 1xVBlU-00002v-3s", "--localhost_number 17 -u NEW",
    "--localhost_number x NEW", "-UTC NEW", "--gmt NEW", "-u -pid -z NEW", "--b36 --b62 x", "--b36 -u NEW", "-localh 1 -u NEW", "--bogus",
    "-u --nolocalhost_number NEW",
)  # fmt: skip
ALIASES = """\
root: fred
# c
foo: bar,

  baz
"a b": quoted
Foo: dup
nocolon value   more
  cont
: empty
"q\\"uo\\tte" : y
"unfin: z
alone
  contline
long: a
# c
 b
A@b.c: x:y"""
BUILDS = (
    "", "SOURCE", "SOURCE new", "-nolc SOURCE new", "-nozero SOURCE new", "-lastdup SOURCE new", "-noduperr SOURCE new",
    "-nowarn -noduperr SOURCE new", "-nowarn SOURCE new", "- new", "SOURCE /nosuch/new", "/nosuch new", "-x SOURCE new",
    "SOURCE new more", "ODD new", "EMPTY new",
)  # fmt: skip
KEYED = (
    ("exim_dumpdb", "-L FILE", ""), ("exim_dumpdb", "-L -k FILE", ""), ("exim_dumpdb", "-L /nosuch", ""), ("exim_dumpdb", "-L", ""),
    ("exim_dumpdb", "-L -z FILE", ""), ("exim_fixdb", "-L FILE", "q\n"), ("exim_fixdb", "-L", ""),
    ("exim_fixdb", "-L FILE", "root\n0 xx\nroot\nd\nroot\nfoo\n0\n1 y\nd\nfoo\nq\n"), ("exim_fixdb", "-L /nosuch", "root\nq\n"),
)  # fmt: skip


@pytest.fixture(scope="module")
def side() -> Iterator[Side]:
    with TemporaryDirectory(prefix="utilities-") as name:
        Path(name).chmod(0o755)
        made = Side(Path(name) / "real", [EXIM], EXIM)
        for words in WAITING:
            made.run(Step(words, MAIL))
        made.run(Step("-Mf {2}"))
        (Path(name) / "real" / "box").write_text("mail\n")
        yield made


def compared(side: Side, tool: str, words: list[str], typed: str = "") -> tuple[object, object]:
    """Exim's answer and ours."""
    found = []
    perl = ["perl", "-T"] if tool == "exim_msgdate" else []
    for program in ([*perl, str(REAL / tool)], [sys.executable, "-m", f"pillarbox.cli.tools.{tool}"]):
        ended = subprocess.run(
            [*program, *words],
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "TZ": "UTC"},
        )
        lines = sorted(side.plain(ended.stdout).splitlines())
        found.append((ended.returncode, lines, bool(ended.stderr)))
    return found[0], found[1]


@pytest.mark.parametrize("words", SELECTIONS)
def test_exiqgrep(side: Side, words: str) -> None:
    arguments = ["-E", EXIM, "-C", str(side.config), *words.split()]
    expected, found = compared(side, "exiqgrep", arguments)
    assert found == expected


@pytest.mark.parametrize("words", SUMMARIES)
def test_exiqsumm(side: Side, words: str) -> None:
    listing = subprocess.run(
        [EXIM, "-C", str(side.config), "-bp"], capture_output=True, text=True, check=True
    ).stdout
    expected, found = compared(side, "exiqsumm", words.split(), listing)
    assert found == expected


@pytest.mark.parametrize("words", SEARCHES)
def test_exigrep(side: Side, words: str) -> None:
    log = str(side.directory / "log" / "mainlog")
    expected, found = compared(side, "exigrep", [log if word == "LOG" else word for word in words.split()])
    assert found == expected


@pytest.mark.parametrize("words", LOCKS)
def test_exim_lock(side: Side, words: str) -> None:
    names = {"BOX": str(side.directory / "box"), "NEW": str(side.directory / "new")}
    expected, found = compared(side, "exim_lock", [names.get(word, word) for word in words.split()])
    assert found == expected


@pytest.mark.parametrize("words", DATES)
def test_exim_msgdate(side: Side, words: str) -> None:
    filled = words.replace("NEW", "1xVBlU-000000002vd-3Fbs").replace("OLD", "1vMXYZ-00001L-1a")
    expected, found = dates(side, filled.split())
    assert found == expected


def dates(side: Side, words: list[str]) -> tuple[object, object]:
    found = []
    for program in (["perl", "-T", str(REAL / "exim_msgdate")], [*OURS, "pillarbox.cli.tools.exim_msgdate"]):
        ended = subprocess.run(
            [*program, "-C", str(side.config), *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "TZ": "Europe/Berlin"},
        )
        said = ended.stderr.partition(" at /")[0].partition("Usage")[0].strip()
        found.append((ended.returncode, ended.stdout, said))
    return found[0], found[1]


@pytest.mark.parametrize("words", BUILDS)
def test_exim_dbmbuild(words: str, tmp_path: Path) -> None:
    """What is said, and what stands in the file."""
    expected, found = (built(words.split(), tmp_path / name, program) for name, program in DBMBUILD.items())
    assert found == expected


OURS = (sys.executable, "-m")
DBMBUILD = {"real": [str(REAL / "exim_dbmbuild")], "mine": [*OURS, "pillarbox.cli.tools.exim_dbmbuild"]}


def built(words: list[str], directory: Path, program: list[str]) -> object:
    directory.mkdir()
    (directory / "SOURCE").write_text(ALIASES)
    (directory / "ODD").write_text(" x: y\nz: 1\nz: 2\nz: 3\n")
    (directory / "EMPTY").write_text("")
    ended = subprocess.run(
        [*program, *words],
        input=ALIASES,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=directory,
    )
    rows: list[tuple[bytes, bytes]] = []
    if (directory / "new").exists():
        with closing(sqlite3.connect(directory / "new")) as file:
            rows = sorted(file.execute("select * from tblblob"))
    names = sorted(path.name for path in directory.iterdir())
    return ended.returncode, ended.stdout, ended.stderr, rows, names


@pytest.mark.parametrize(("tool", "words", "typed"), KEYED)
def test_tools_on_a_keyed_file(tool: str, words: str, typed: str, tmp_path: Path) -> None:
    told = []
    for name, program in {"real": [str(REAL / tool)], "mine": [*OURS, f"pillarbox.cli.tools.{tool}"]}.items():
        built(["SOURCE", "new"], tmp_path / name, DBMBUILD["real"])
        ended = subprocess.run(
            [*program, *words.replace("FILE", "new").split()],
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path / name,
        )
        told.append((ended.returncode, ended.stdout))
    assert told[1] == told[0]


LOGS = {"mainlog": "m\n", "rejectlog": "r\n", "paniclog": "p\n"}
CYCLES: tuple[tuple[str, dict[str, str], int], ...] = (
    ("-l LOG", LOGS, 1),
    ("-l LOG", LOGS, 4),
    ("-k 2 -l LOG", {**LOGS, "mainlog.01": "old", "mainlog.02.gz": "older"}, 1),
    ("-l LOG -k 2", {"rejectlog": "r", "rejectlog.01": "x"}, 1),
    ("-l LOG -k 120", LOGS, 3),
    ("-l LOG -k 3", {"mainlog": "m", "mainlog.1": "z", "mainlog.03.gz": "3", "mainlog.02": "2"}, 2),
    ("-l LOG -k 1", {"mainlog": "m", "mainlog.01": "z"}, 1),
    ("-l LOG", {"paniclog": "p"}, 1),
    ("-l LOG", {"mainlog": ""}, 2),
    ("-x", LOGS, 1),
    ("more -l LOG", LOGS, 1),
)


@pytest.mark.parametrize(("words", "files", "times"), CYCLES)
def test_exicyclog(words: str, files: dict[str, str], times: int, tmp_path: Path) -> None:
    """Names, contents, modes and owners of the logs afterwards."""
    told = []
    for program in ([str(REAL / "exicyclog")], [*OURS, "pillarbox.cli.tools.exicyclog"]):
        directory = tmp_path / str(len(told))
        directory.mkdir()
        for name, text in files.items():
            path = directory / name
            path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
            path.chmod(0o640)
            os.chown(path, 8, 8)
        filled = words.replace("LOG", str(directory / "%slog")).split()
        for _ in range(times):
            ended = subprocess.run(
                [*program, *filled],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                cwd=directory,
            )
        told.append(
            (ended.returncode, ended.stdout, {path.name: _seen(path) for path in directory.iterdir()})
        )
    assert told[1] == told[0]


def _seen(path: Path) -> tuple[str, int, int]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return data.decode(), path.stat().st_mode & 0o777, path.stat().st_uid


PICKS = (
    "", "-i", "-c", "-bp", "-bpa", "-bpu", "-bpr", "-bpi", "-z", "-x", "-f b.example", "-r defer", "$sender_address eq a@b.example",
    "$deliver_freeze", "$recipients_count > 1", "$received_protocol eq local", "--flatq", "--sort message_size -i",
    "-l --show-vars sender_address,message_size", "$h_subject: eq hi", "$recipients_del", "--caseful -f B@", "$body_linecount == 1",
    "-unsorted -i",
)  # fmt: skip
CRITERIA = (
    "$message_exim_id", "$sender_address eq ''", "$message_size > 200", "$message_size < 2K", "$message_age < 1d",
    "$message_body_size >= 5", "$message_linecount", "$body_zerocount == 0", "$shown_message_size", "$recipients eq joe@defer.example",
    "$recipients =~ /fred/", "$each_recipients eq fred@example.com", "$each_recipients_undel eq ann@defer.example", "$recipients_undel",
    "$recipients_undel_count > 1", "$recipients_del_count == 0", "$recipients_count == 1", "$first_delivery", "$manually_thawed",
    "$local_error_message", "$frozen", "!$deliver_freeze", "$deliver_frozen_at > 1", "$originator_uid == 0", "$originator_gid == 0",
    "$caller_uid == 0", "$sender_set_untrusted", "$sender_local", "$h_from: =~ root", "$header_subject: =~ /h/",
    "$message_headers =~ /hi/", "$message_headers_raw =~ /hi/", "$message_body =~ body", "$received_count > 0", "$received_ip_address",
    "$sender_host_address", "$sender_helo_name", "$interface_address", "$interface_port", "$tls_cipher", "$tls_in_cipher", "$dont_deliver",
    "$warning_count == 0", "$spam_score_int > 1", "$host_lookup_failed", "$sender_host_authenticated", "$authenticated_id",
    "$allow_unqualified_sender", "$allow_unqualified_recipient", "$dsn_ret", "$dsn_envid", "$acl_c_x", "$acl_m_x", "$bmi_verdicts",
    "$deliver_queue_run", "$delivery_queue_time", "$qualify_domain", "$received_time > 1000", "$warnings_sent == 0", "$thawed",
    "$each_header =~ /From/", "$rh_subject eq hi", "$bh_subject eq hi", "$reply_address eq root@example.com",
    "$sender_address_domain eq b.example", "$sender_address_local_part eq a", "$local_error", "$smtp_utf8", "$utf8_downcvt", "$iscan_x",
    "$sender_retain", "$received_for", "$message_id_header",
)  # fmt: skip
STATISTICS = (
    "-nr -nt",
    "-h0 -t5",
    "-ne",
    "-byhost -bydomain -byemail",
    "-txt",
    "-html",
    "-q0 -nr",
    "-ne -pattern x /fred/",
)


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Side, Side]]:
    """The same commands given to the real one and to ours."""
    with TemporaryDirectory(prefix="utilities-") as name:
        Path(name).chmod(0o755)
        made = Side(Path(name) / "real", [EXIM], EXIM), Side(Path(name) / "mine", ours(), EXIM)
        for each in made:
            for words in WAITING:
                each.run(Step(words, MAIL))
            each.run(Step("-Mf {2}"))
        yield made


def perl(side: Side, script: str, *words: str) -> tuple[int, list[str]]:
    ended = subprocess.run(
        ["perl", str(REAL / script), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "TZ": "UTC", "PERL_HASH_SEED": "0"},
        stdin=subprocess.DEVNULL,
    )
    return ended.returncode, sorted(level(side.plain(ended.stdout + ended.stderr), AGES).splitlines())


@pytest.mark.parametrize("words", PICKS + CRITERIA)
def test_exipick_reads_our_queue(sides: tuple[Side, Side], words: str) -> None:
    told = []
    for side in sides:
        criteria = [words] if words.startswith("$") else words.split()
        told.append(perl(side, "exipick", "-spool", str(side.directory / "spool"), *criteria))
    assert told[1] == told[0]


@pytest.mark.parametrize("words", STATISTICS)
def test_eximstats_reads_our_log(sides: tuple[Side, Side], words: str, tmp_path: Path) -> None:
    """Bounces have one size, ours and theirs."""
    told = []
    for side in sides:
        log = tmp_path / "mainlog"
        log.write_text(level((side.directory / "log" / "mainlog").read_text(), BOUNCES, STAMPS))
        told.append(perl(side, "eximstats", *words.split(), str(log)))
    assert told[1] == told[0]


BOUNCES = BOUNCE_SIZES._replace(put=r"\g<1>1000")
STAMPS = LOG_STAMPS._replace(put="2026-11-23 04:05:06 ")
