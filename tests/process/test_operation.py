"""Running it: reload, stop, restart, certificates, ports, and what the signals promise."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from tests.process.daemon import COMMAND, Daemon, DidNotStart, wait_until
from tests.process.prepared import LATER, command, configuration, edit, give_away, prepared

from pillarbox.system.tls import make_self_signed

pytestmark = pytest.mark.process

OTHER_BANNER = ("smtp_accept_max =", "smtp_banner = reloaded\nsmtp_accept_max =")


def test_reload_changes_new_sessions_and_leaves_old_ones_alone() -> None:
    with prepared("--workers", "1") as daemon, daemon.smtp() as old:
        old.ehlo()
        edit(daemon, "accept  hosts         = +relay_from_hosts", "deny    hosts         = +relay_from_hosts")
        edit(daemon, *OTHER_BANNER)
        daemon.signal(signal.SIGHUP)
        daemon.await_log("configuration reloaded")
        with daemon.smtp() as new:
            new.ehlo()
            new.mail("a@localhost")
            assert new.rcpt(daemon.admin.address)[0] == 550
        old.mail("a@localhost")
        assert old.rcpt(daemon.admin.address)[0] == 250
        assert old.data(b"Subject: old rules\r\n\r\nx\r\n")[0] == 250
        wait_until(lambda: daemon.delivered(daemon.admin), "the message of the old session")


def test_a_bad_configuration_is_refused_and_the_old_one_stays() -> None:
    with prepared("--workers", "1") as daemon:
        edit(daemon, "acl_smtp_data = acl_check_data", "acl_smtp_dada = acl_check_data")
        line = configuration(daemon).read_text().splitlines().index("acl_smtp_dada = acl_check_data") + 1
        daemon.signal(signal.SIGHUP)
        said = f"{configuration(daemon)}:{line}"
        wait_until(lambda: said in daemon.output, f"{said} in {daemon.output}")
        assert "the old one stays" in daemon.output
        daemon.send(b"Subject: still here\n\nx\n")
        wait_until(lambda: daemon.delivered(daemon.admin), "a message")
        with pytest.raises(DidNotStart, match="acl_smtp_dada"):
            Daemon.start(_same_data(daemon))


def test_reload_takes_a_new_certificate() -> None:
    with prepared("--workers", "1") as daemon:
        before = {role: _certificate(daemon.ports[role]) for role in ("smtps", "imaps", "pop3s")}
        for path in (daemon.data / "tls" / "cert.pem", daemon.data / "tls" / "key.pem"):
            path.unlink()
        make_self_signed(daemon.data / "tls" / "cert.pem", daemon.data / "tls" / "key.pem", ("localhost",))
        give_away(daemon.data / "tls")
        daemon.signal(signal.SIGHUP)
        daemon.await_log("configuration reloaded")
        after = {role: _certificate(daemon.ports[role]) for role in before}
        assert not set(before.values()) & set(after.values())
        assert len(set(after.values())) == 1


def test_a_certificate_that_cannot_be_read_leaves_the_old_one() -> None:
    with prepared("--workers", "1") as daemon:
        before = _certificate(daemon.ports["imaps"])
        (daemon.data / "tls" / "cert.pem").write_text("no certificate")
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: "the old one stays" in daemon.output, "a word on standard error")
        assert str(daemon.data / "tls" / "cert.pem") in daemon.output
        assert _certificate(daemon.ports["imaps"]) == before


def test_term_finishes_what_is_in_flight() -> None:
    with prepared("--workers", "1") as daemon:
        with daemon.smtp() as busy, daemon.smtp() as idle:
            busy.ehlo()
            busy.mail("a@localhost")
            busy.rcpt(daemon.admin.address)
            idle.ehlo()
            daemon.signal(signal.SIGTERM)
            assert idle.getreply()[0] == 421
            assert busy.data(b"Subject: in flight\r\n\r\nx\r\n")[0] == 250
            assert daemon._process is not None
            assert daemon._process.wait(15) == 0, "and nobody waits for QUIT"
            busy.close()
            idle.close()
        assert len(daemon.delivered(daemon.admin)) == 1
        assert _count(daemon) == 0


def test_a_dead_worker_is_replaced_and_its_backlog_served() -> None:
    with prepared("--workers", "1") as daemon:
        (pid,) = daemon.workers
        os.kill(pid, signal.SIGSTOP)
        waiting = socket.create_connection(("127.0.0.1", daemon.ports["smtp"]), timeout=20)
        os.kill(pid, signal.SIGKILL)
        assert waiting.recv(3) == b"220", "taken from the backlog by the successor"
        waiting.close()
        assert daemon.workers != [pid]
        assert f"pid {pid}) was killed by signal 9" in daemon.output


def test_workers_end_with_their_supervisor_and_a_new_one_starts_at_once() -> None:
    with prepared("--workers", "2") as daemon, daemon.smtp() as client:
        client.ehlo()
        client.mail("a@localhost")
        workers = daemon.workers
        daemon.signal(signal.SIGKILL)
        assert daemon._process is not None
        daemon._process.wait()
        began = time.monotonic()
        daemon.start()
        assert time.monotonic() - began < 10
        assert not set(workers) & set(daemon.workers)
        daemon.send(b"Subject: after\n\nx\n")
        wait_until(lambda: daemon.delivered(daemon.admin), "a message")
        client.close()


def test_a_second_one_on_the_same_data_is_refused() -> None:
    with (
        prepared("--workers", "1") as daemon,
        pytest.raises(DidNotStart, match=rf"another one \(pid {daemon.pid}\) serves"),
    ):
        Daemon.start(_same_data(daemon))


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = Daemon()
        try:
            words = ["serve", "--data", str(daemon.data), "--listen", f"imap=127.0.0.1:{port}"]
            ended = subprocess.run([COMMAND, *words], capture_output=True, text=True, timeout=20)
            assert ended.returncode == 69
            assert f"cannot listen on 127.0.0.1 port {port}: another program does already" in ended.stderr
        finally:
            daemon.remove()


def test_finds_everything_as_it_was() -> None:
    with prepared("--workers", "1", edits=[("begin routers\n", LATER)]) as daemon:
        user = daemon.add_user()
        daemon.send(b"Subject: kept\n\nx\n", to=user)
        daemon.send(b"Subject: waits\n\nx\n", to="someone@later.test")
        wait_until(lambda: daemon.delivered(user), "delivery")
        wait_until(lambda: _count(daemon) == 1, "a deferral")
        queue = command(daemon, "exim", "-bp").stdout.split()[2]
        accounts = daemon.run("user", "list").split()
        assert accounts[1:] == [user.name]
        certificate, text = _certificate(daemon.ports["imaps"]), configuration(daemon).read_text()
        daemon.stop()
        daemon.start()
        assert command(daemon, "exim", "-bp").stdout.split()[2] == queue
        assert _certificate(daemon.ports["imaps"]) == certificate
        assert configuration(daemon).read_text() == text
        assert daemon.run("user", "list").split() == accounts
        with daemon.smtp() as client:
            client.ehlo()
            client.login(user.name, user.password)


def test_exim_bd_in_the_background_with_its_queue_interval() -> None:
    """`exim -bd -q1s -C file`: detaches, serves, runs the queue as often as it says, and TERM ends it."""
    daemon = Daemon()
    from tests.process.prepared import prepare

    try:
        prepare(daemon)
        ports = [daemon.ports[role] for role in ("smtp", "imap", "imaps", "pop3", "pop3s")]
        text = configuration(daemon).read_text()
        for name, port in zip(
            ("daemon_smtp_ports", "imap_ports", "imaps_ports", "pop3_ports", "pop3s_ports"),
            ports,
            strict=True,
        ):
            old = next(line for line in text.splitlines() if line.startswith(f"{name} ="))
            text = text.replace(old, f"{name} = {port}")
        text = text.replace("local_interfaces = <; 127.0.0.1 ; ::1", "local_interfaces = 127.0.0.1")
        configuration(daemon).write_text(text)
        subprocess.run(
            [COMMAND.with_name("exim"), "-bd", "-q1s", "-C", configuration(daemon)],
            check=True, timeout=20, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        pid_file = daemon.data / "spool" / "pillarbox.pid"
        wait_until(lambda: pid_file.exists() and pid_file.read_text().strip(), "the pid file")
        pid = int(pid_file.read_text())
        try:
            wait_until(lambda: daemon.log.count("Start queue run") >= 3, "a queue run each second")
            with smtplib.SMTP("127.0.0.1", ports[0]) as client:
                client.sendmail("a@localhost", [daemon.admin.address], b"Subject: x\r\n\r\nx\r\n")
            wait_until(lambda: daemon.delivered(daemon.admin), "a message")
        finally:
            os.kill(pid, signal.SIGTERM)
            wait_until(
                lambda: (
                    not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()
                ),
                "its end",
            )
    finally:
        daemon.remove()


def _same_data(daemon: Daemon) -> Daemon:
    """Another daemon object for the same data, with ports of its own."""
    other = Daemon("--workers", "1", folder=daemon.folder)
    (daemon.folder / "output").rename(daemon.folder / "output-of-the-first")
    return other


def _certificate(port: int) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain) as tls,
    ):
        return tls.getpeercert(binary_form=True) or b""


def _count(daemon: Daemon) -> int:
    return int(command(daemon, "exim", "-bpc").stdout)


def test_stopping_finishes_what_sessions_from_before_a_reload_accepted() -> None:
    """Else it would be found in the journal, and perhaps delivered again."""
    with prepared("--workers", "1") as daemon:
        with daemon.smtp() as old:
            old.ehlo()
            daemon.signal(signal.SIGHUP)
            daemon.await_log("configuration reloaded")
            for _ in range(20):
                old.sendmail("a@localhost", [daemon.admin.address], b"Subject: x\r\n\r\nx\r\n")
            daemon.stop()
            old.close()
        assert daemon.log.count(" Completed") == 20
        daemon.start()
        assert "found in journal" not in daemon.log
