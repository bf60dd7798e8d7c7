"""Every option of Exim's command line (specification 5.3), called by root, by the mail user and by somebody, with and without a message.

The real exim stands where a machine has it, set-uid with /etc/exim4/exim4.conf; ours is started as behind such a wrapper: effective root, the
real uid is the caller's. Both work on the same spool, which is made anew for every call: `{1}` waits, `{2}` is frozen, `{9}` does not exist.
Compared are exit code, standard output and error, the main log, and which messages are left.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from tests.oracle.flow.levelling import (
    BOUNCE_SIZES,
    ENHANCED_CODES,
    FROZEN_AT,
    LOADS,
    MAIL_DATES,
    PIDS,
    RECEIVED_AT,
    TIMES,
    Leveller,
    ids_received,
    level,
    numbered,
)
from tests.oracle.flow.world import USER, inside

T = TypeVar("T")
CALLERS = ("root", USER, "games")
MESSAGE = "Subject: hi\nTo: fred@example.com\n\nbody\n"
CONFIG = """\
primary_hostname = mx.example
qualify_domain = example.com
exim_user = Debian-exim
exim_group = Debian-exim
keep_environment =
timezone = UTC
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
never_users =
queue_only
queue_run_in_order
retry_interval_max = 1h
message_id_header_domain = mx.example
received_header_text = Received: by mx.example
smtp_banner = mx.example here
av_scanner = cmdline:/bin/grep -rs EICAR %s:EICAR:(EICAR)
hide mysql_servers = localhost/x/y/secret
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  accept
begin routers
defers:
  driver = redirect
  domains = defer.example
  data = :defer: not now
  allow_defer
gone:
  driver = redirect
  domains = gone.example
  data = :blackhole:
local:
  driver = accept
  domains = example.com
  local_parts = fred : root : games
  transport = boxes
begin transports
boxes:
  driver = appendfile
  file = {dir}/mail/$local_part_data
  user = mail
  group = mail
begin retry
* * F,2h,15m
begin rewrite
*@old.example $1@new.example
"""
_PLAIN = (
    *TIMES,
    MAIL_DATES,
    PIDS,
    LOADS,
    FROZEN_AT,
    RECEIVED_AT,
    BOUNCE_SIZES,
    ENHANCED_CODES,
    Leveller(re.compile(r"dummy-[\w-]+"), "dummy"),
    Leveller(re.compile(r"(?m)^-received_time.*\n"), ""),
    Leveller(re.compile(r"(?m)^>>>.*\n"), ""),
    Leveller(re.compile(r"(?<=uid=)\d+"), "UID"),
)
LIMIT = 60.0
"""Seconds that a call may take."""


class Call(NamedTuple):
    words: str
    """Divided by blanks; `_` within a word is a blank."""
    caller: str
    has_message: bool

    @property
    def name(self) -> str:
        return f"{self.caller}{'+' if self.has_message else ''} {self.words}"


class Seen(NamedTuple):
    code: int
    out: str
    error: str
    main: list[str]
    left: list[str]
    """Names of files in the queue."""


class Bench:
    """One place for both programs, inside a world."""

    def __init__(self, directory: Path, exim: str) -> None:
        self.directory = directory
        self._exim = exim
        self._ids: list[str] = []

    def prepare(self) -> None:
        """What every call begins with; the real one makes it."""
        for name in ("log", "mail", "spool"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
            shutil.chown(self.directory / name, USER, USER)
        (self.directory / "mail").chmod(0o1777)
        (self.directory / "infected").write_text("Subject: x\n\nEICAR\n")
        (self.directory / "clean").write_text("Subject: x\n\nok\n")
        self._call(Call("-odq -f a@b.example joe@defer.example", "root", True), is_ours=False)
        self._call(Call("-odq -f a@b.example ann@defer.example", "root", True), is_ours=False)
        self._ids = ids_received((self.directory / "log/mainlog").read_text())
        self._call(Call("-Mf {2}", "root", False), is_ours=False)
        (self.directory / "log/mainlog").unlink()
        for name in ("spool", "log"):
            shutil.rmtree(self.directory / f"kept-{name}", ignore_errors=True)
            subprocess.run(["cp", "-a", name, f"kept-{name}"], cwd=self.directory, check=True)

    def see(self, call: Call, *, is_ours: bool) -> Seen:
        for name in ("spool", "log", "mail"):
            shutil.rmtree(self.directory / name)
        for name in ("spool", "log"):
            subprocess.run(["cp", "-a", f"kept-{name}", name], cwd=self.directory, check=True)
        (self.directory / "mail").mkdir(mode=0o1777)
        (self.directory / "mail").chmod(0o1777)
        code, out, error = self._call(call, is_ours=is_ours)
        if call.words.startswith("-bpr"):  # in the order of the directory
            out = "\n\n".join(sorted(out.split("\n\n"))) if "\n\n" in out else "\n".join(sorted(out.split()))
        mainlog = self.directory / "log/mainlog"
        log = mainlog.read_text() if mainlog.exists() else ""
        ids = [*self._ids, *(each for each in ids_received(log) if each not in self._ids)]
        queue = self.directory / "spool/input"
        names = sorted(path.name for path in queue.iterdir()) if queue.exists() else []
        lines = [line for line in log.splitlines() if "purging the environment" not in line]
        return Seen(
            code,
            self._plain(out, ids),
            self._plain(error, ids),
            [self._plain(line, ids) for line in sorted(lines, key=lambda line: line[20:])],
            [numbered(name, ids) for name in names if name[-2:] in ("-H", "-D")],
        )

    def _plain(self, text: str, ids: list[str]) -> str:
        return level(numbered(text.replace(str(self.directory), "DIR"), ids), *_PLAIN)

    def _call(self, call: Call, *, is_ours: bool) -> tuple[int, str, str]:
        program = [sys.executable, "-c", _OURS] if is_ours else ["/usr/sbin/exim4"]
        user = pwd.getpwnam(call.caller)
        started = subprocess.Popen(
            [*program, *self._words(call)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/"},
            preexec_fn=_as_caller(user.pw_uid, user.pw_gid, behind_wrapper=is_ours),
            start_new_session=True,
        )
        try:
            out, error = started.communicate(MESSAGE.encode() if call.has_message else b"", timeout=LIMIT)
            code = started.returncode
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            out, error = started.communicate()
            code = -99
        return code, out.decode("utf-8", "replace"), error.decode("utf-8", "replace")

    def _words(self, call: Call) -> Iterator[str]:
        for word in call.words.split():
            for number, each in enumerate(self._ids, 1):
                word = word.replace(f"{{{number}}}", each)
            word = word.replace("{9}", "1aaaaa-00000000000-0000").replace("{dir}", str(self.directory))
            yield word.replace("''", "").replace("_", " ")


_OURS = "import sys; from pillarbox.cli.exim import run; sys.argv[0] = 'exim'; sys.exit(run(sys.argv[1:], 'exim'))"


def _as_caller(uid: int, gid: int, *, behind_wrapper: bool) -> Callable[[], None]:
    def become() -> None:
        os.setgroups([gid])
        os.setresgid(gid, gid, gid)
        if behind_wrapper:
            os.setresuid(uid, 0, 0)
        else:
            os.setresuid(uid, uid, uid)

    return become


@contextmanager
def _files(directory: Path, exim: str) -> Iterator[dict[str, Path]]:
    configuration, program = directory / "exim4.conf", directory / "exim4"
    configuration.write_text(CONFIG.format(dir=directory / "place"))
    shutil.copyfile(exim, program)
    program.chmod(0o4755)
    yield {"/etc/exim4/exim4.conf": configuration, "/usr/sbin/exim4": program, "/usr/sbin/exim": program}


def at_the_bench(exim: str, directory: Path, work: Callable[[Bench], T]) -> T:
    """Raises NoWorld."""
    directory.chmod(0o755)
    (directory / "place").mkdir()
    with _files(directory, exim) as files:

        def run() -> T:
            bench = Bench(directory / "place", exim)
            bench.prepare()
            return work(bench)

        return inside(run, files, directory / "over")


OPTIONS = """
--
-- fred
--help
--version
-?
-Ac fred
-Am fred
-A
-Ax
-atrn
-atrn h.example
-atrn h.example d.example
-B
-B7BIT fred
-B 8BITMIME fred
-B8BITMIME fred
-bd x
-bdf x
-bd -bs
-be
-be $primary_hostname
-be ${readfile{/etc/hostname}}
-bem
-bem {dir}/nosuch
-bem {dir}/nosuch x
-bF
-bF {dir}/nosuch
-bf
-bf {dir}/nosuch
-bfd
-bfl
-bfp
-bfs
-bfd x.example
-bh
-bh 10.2.3.4
-bh 10.2.3.4 x
-bh nonsense
-bhc
-bhc 10.2.3.4
-bi
-bi x
-bI
-bI:
-bI:help
-bI:dscp
-bI:sieve
-bI:modules
-bI:nosuch
-bm
-bm fred
-bm -odi fred
-bmalware
-bmalware {dir}/nosuch
-bmalware {dir}/infected
-bmalware {dir}/clean x
-bnq
-bnq fred
-bnq -odi fred joe
-bP qualify_domain
-bP nosuch
-bP mysql_servers
-bP +mysql_servers
-bP router gone
-bP router nosuch
-bP transport boxes
-bP macro X
-bP macros X
-bP router_list
-bP transport_list
-bP authenticator_list
-bP config_file
-bP configure_file
-bP log_file_path
-bP spool_directory
-bP pid_file_path
-bP environment
-bP qualify_domain primary_hostname
-n -bP qualify_domain
-n -bP router_list
-bp
-bp {1}
-bp {9}
-bp x
-bpa
-bpc
-bpi
-bpr
-bpra
-bpri
-bpru
-bprc
-bpu
-bpx
-bpc {1}
-bpi {1}
-brt
-brt x.example
-brt x@y.example
-brt x.example y.example
-brt x.example y.example quota
-brt x.example quota_3d
-brt x.example timeout_connect_MX
-brt x.example nosuch
-brt example.com refused_A
-brw
-brw a@old.example
-brw fred
-brw a@old.example b@c.example
-bS
-bS x
-bs
-bs x
-bt
-bt fred
-bt fred x@defer.example x@gone.example nosuch@example.com
-bt x@other.example
-bt -v fred
-bt a@b@c
-bt <fred@example.com>
-bt -f x@y.example fred
-bV
-bV x
-bv
-bv fred
-bv fred x@defer.example x@gone.example nosuch@example.com
-bv -v fred
-bvs fred
-bvs x@defer.example
-bvs <>
-bv <>
-bw x
-bwx
-bw1
-C
-C relative -bP qualify_domain
-C /nosuch -bP qualify_domain
-C /nosuch:/etc/exim4/exim4.conf -bP qualify_domain
-C /etc/exim4/exim4.conf -bP qualify_domain
-C /etc/exim4/exim4.conf -bp
-D
-DX
-DX=1 -bP macro X
-Dx=1 -bP macro x
-DX=1 -DX=2 -bP macro X
-DX=1 -bp
-d-x -bt fred
-d+nosuch -bt fred
-d+route,x -bt fred
-d-all -bt fred
-d-all fred
-dd-all -bt fred
-dp
-dS
-dt=
-dropcr fred
-E
-E fred
-E1aaaaa-00000000000-0000 -odi fred
-Ex fred
-e
-ee fred
-em fred
-ep fred
-eq fred
-ew fred
-ex fred
-F
-F x -odi fred
-Fx -odi fred
-F '' -odi fred
-f
-f a@b.example -odi fred
-f <> -odi fred
-f '' -odi fred
-f a@@b fred
-fa@b.example -odi fred
-f <a@b.example> -odi fred
-G
-G -odi fred
-h
-h 3 -odi fred
-h3 -odi fred
-i -odi fred
-L
-L ''
-L x -bp
-L abcdefghijklmnopqrstuvwxyzabcdefghijklmnop -bp
-M
-M {1}
-M {2}
-M {9}
-M x
-M {1} {2}
-Mar
-Mar {1}
-Mar {1} new@defer.example
-Mar {9} new@defer.example
-Mc
-Mc {1}
-Mc {2}
-Mc {9}
-Mes
-Mes {1}
-Mes {1} new@b.example
-Mes {1} <>
-Mes {1} a b
-Mf
-Mf {1}
-Mf {2}
-Mf {9}
-Mg
-Mg {1}
-Mg {9}
-MG
-MG q {1}
-MG q
-MG q {9}
-MG q x
-Mmad
-Mmad {1}
-Mmad {9}
-Mmd
-Mmd {1} joe@defer.example
-Mmd {1} nosuch@defer.example
-Mmd {1}
-Mrm
-Mrm {1}
-Mrm {2} {1}
-Mrm {9}
-Mset
-Mset {1} -be $sender_address
-Mset {9} -be $sender_address
-Mset {1}
-Mt
-Mt {1}
-Mt {2}
-Mt {9}
-Mvb
-Mvb {1}
-Mvb {9}
-Mvc {1}
-Mvh {1}
-Mvl {1}
-Mvl {2}
-Mvl {9}
-Mvh {1} {2}
-Mx
-Mx {1}
-MC
-MCA
-MCx
-m -odi fred
-N -odi fred
-N -bp
-N -q
-n -odi fred
-O
-O x -odi fred
-oA
-oA x -odi fred
-oAx -odi fred
-oB
-oB -odi fred
-oB5 -odi fred
-oB x
-oDSN
-oDSN x
-od
-odx fred
-odb
-odf fred
-odi fred
-odi joe@defer.example
-odi nosuch
-odi x@gone.example
-odq fred
-odqs fred
-oee -odi nosuch@example.com@x
-oem -odi a@b@c
-oep -odi a@b@c
-oeq -odi a@b@c
-oew -odi a@b@c
-oe fred
-oex fred
-oi -odi fred
-oitrue -odi fred
-oifalse fred
-oM
-oMx fred
-oMa
-oMa 10.2.3.4 -odi fred
-oMa nonsense -odi fred
-oMaa plain -odi fred
-oMai x -odi fred
-oMas x@y.example -odi fred
-oMi 10.2.3.4 -odi fred
-oMm {1} -odi fred
-oMm x -odi fred
-oMr bsmtp -odi fred
-oMs h.example -odi fred
-oMt me -odi fred
-oMa 10.2.3.4 -bs
-om -odi fred
-oo -odi fred
-oP
-oP {dir}/pid -bp
-oPX
-oPX x
-or
-or 5m -odi fred
-or x fred
-or5s -odi fred
-os
-os 5m -odi fred
-os x fred
-ov -odi fred
-oX
-oX 2525 -odi fred
-oY -odi fred
-ox fred
-o
-p
-px:y -odi fred
-p x:y -odi fred
-pd -odi fred
-ps -odi fred
-q
-q x
-q 5
-q {1}
-q {2} {1}
-q {9}
-q {1} {2} {2}
-qf
-qff
-qi
-ql
-qif
-qqf
-qfl
-qffl
-qqiffl
-qfi
-qfq
-qGq
-qGq -bp
-qGq -bpc
-qG
-q5
-q5x
-qx
-q0m
-q15m x
-qR
-qR joe
-qRf joe
-qRff ann
-qRr ^j
-qRrff ann
-qS a@b
-qSr ^A
-R
-R joe
-Rf joe
-Rff ann
-Rr ^j
-Rrf ^j
-Rrff ^ann
-Rfr joe
-Rx joe
-R nosuch
-r
-r a@b.example -odi fred
-S
-S a@b
-Sr a@
-Sf b.example
-Srff b.ex
-S nosuch
-R joe -S a@b
-R joe -S x@
-T
-Tqt
-Tqt 3h
-Tx
-t
-t -odi
-t -odi fred
-t -i -odi
-ti -odi
-tls-on-connect -odi fred
-tls-on-connectx
-U -odi fred
-Ux fred
-v -odi fred
-v -bp
-x -odi fred
-xx fred
-X
-X {dir}/x -odi fred
-X{dir}/x -odi fred
-z
-z hello
-z ''
-z hello_there x
fred
-odi fred -odq
-
- fred
-foo fred
--foo
-j
-J x
-k
-l
-y
-Z
-q -R joe
-bp -q
-bp -bt
-M {1} -q
-t -bp
-bs -q
-f x@y.example -bs
-f x@y.example -bp
-bP -q
-bt -bv fred
"""
