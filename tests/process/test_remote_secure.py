"""TLS and passwords on the way out: what a machine needs that sends everything through a smarthost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.daemon import Daemon, wait_until
from tests.process.peers import USUAL, Internet
from tests.process.prepared import configuration, prepare
from tests.process.test_remote import Post, daemon_on

pytestmark = pytest.mark.process

PLAIN = ("PIPELINING", "8BITMIME", "AUTH PLAIN LOGIN")
CIPHER = "X=TLS1.3:TLS_AES_256_GCM_SHA384:256"

ROUTERS = """begin routers

smarthosts:
  driver = manualroute
  domains = ! +local_domains : ! *.mx.test : require.test : verified.test : unknown.test : wrongname.test : \\
            fallback.test : login.test : refused.test : trying.test : noauth.test : guarded.test : sender.test : smtps.test
  transport = ${tr{$domain_data}{.}{_}}_smtp
  route_list = require.test     require-host.test::@PORT@ byname ; \\
               verified.test    verified-host.test ; \\
               unknown.test     unknown-host.test ; \\
               wrongname.test   wrongname-host.test ; \\
               fallback.test    wrongname-host.test ; \\
               login.test       login-host.test::@PORT@ byname ; \\
               refused.test     refused-host.test ; \\
               trying.test      trying-host.test ; \\
               noauth.test      noauth-host.test ; \\
               guarded.test     guarded-host.test ; \\
               sender.test      sender-host.test ; \\
               smtps.test       smtps-host.test

"""
TRANSPORTS = """begin transports

require_test_smtp:
  driver = smtp
  port = @PORT@
  hosts_require_tls = *
verified_test_smtp:
  driver = smtp
  port = @PORT@
  hosts_require_tls = *
  tls_verify_hosts = *
  tls_verify_certificates = @CA@
unknown_test_smtp:
  driver = smtp
  port = @PORT@
  hosts_require_tls = *
  tls_verify_hosts = *
wrongname_test_smtp:
  driver = smtp
  port = @PORT@
  hosts_require_tls = *
  tls_verify_hosts = *
  tls_verify_certificates = @CA@
fallback_test_smtp:
  driver = smtp
  port = @PORT@
  tls_verify_hosts = *
  tls_verify_certificates = @CA@
smtps_test_smtp:
  driver = smtp
  port = @PORT@
  protocol = smtps
  tls_verify_hosts = *
  tls_verify_certificates = @CA@
login_test_smtp:
  driver = smtp
  hosts_require_auth = *
  hosts_require_tls = *
  tls_verify_hosts = *
  tls_verify_certificates = @CA@
refused_test_smtp:
  driver = smtp
  port = @PORT@
  hosts_require_auth = *
trying_test_smtp:
  driver = smtp
  port = @PORT@
  hosts_try_auth = *
noauth_test_smtp:
  driver = smtp
  port = @PORT@
  hosts_require_auth = *
guarded_test_smtp:
  driver = smtp
  port = @PORT@
  hosts_require_auth = *
sender_test_smtp:
  driver = smtp
  port = @PORT@
  hosts_require_auth = *

"""
AUTHENTICATORS = """begin authenticators

at_smarthost:
  driver = plaintext
  public_name = PLAIN
  client_send = <; ${if def:tls_out_cipher{^me^se:cret^^}fail}
  client_set_id = me

at_others:
  driver = plaintext
  public_name = LOGIN
  client_condition = ${if !eq{$host}{guarded-host.test}}
  client_send = : me : ${if eq{$host}{refused-host.test}{wrong}{secret-$host}}

served:
  driver = plaintext
  public_name = X-TEST
  server_prompts = Who : What
  server_condition = ${if and{{eq{$auth1}{tom}}{eq{$auth2}{jerry}}}}
  server_set_id = $auth1

"""


@pytest.fixture(scope="module")
def net() -> Iterator[Internet]:
    with Internet() as internet:
        yield internet


@pytest.fixture(scope="module")
def mta(net: Internet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon("--workers", "1")
    try:
        ca = daemon.folder / "ca.pem"
        net.ca.cert_pem.write_to_path(str(ca))

        def fill(text: str) -> str:
            return text.replace("@PORT@", str(net.port)).replace("@CA@", str(ca))

        prepare(
            daemon,
            *daemon_on(net),
            ("begin routers\n", fill(ROUTERS)),
            ("begin transports\n", fill(TRANSPORTS)),
            ("begin authenticators\n", AUTHENTICATORS),
        )
        daemon.start()
        yield daemon
        assert daemon.panics == ""
    finally:
        daemon.remove()


@pytest.fixture
def post(mta: Daemon) -> Post:
    return Post(mta, mta.add_user())


# TLS


def test_tls_is_used_where_it_is_offered(net: Internet, post: Post) -> None:
    host = net.host()
    host.offer_tls("anything.example")
    net.domain("a.mx.test", host)
    lines = post.completed(post.send("x@a.mx.test"))
    assert host.letters[0].is_tls
    assert [command.split()[0] for command in host.commands[:3]] == ["EHLO", "STARTTLS", "EHLO"]
    assert f'H=mx1.a.mx.test [{host.address}] {CIPHER} CV=no C="' in lines[1]


def test_tls_that_breaks_is_followed_by_clear(net: Internet, post: Post) -> None:
    host = net.host()
    host.offer_tls("anything.example")
    host.breaks_tls = True
    net.domain("broken.mx.test", host)
    lines = post.completed(post.send("x@broken.mx.test"))
    assert not host.letters[0].is_tls and host.connections == 2
    where = f"H=mx1.broken.mx.test [{host.address}]"
    assert lines[1].startswith("TLS session: (")
    assert lines[1].endswith(f": delivering unencrypted to {where} (not in hosts_require_tls)")
    assert "X=" not in lines[2]


def test_starttls_refused_is_followed_by_clear(net: Internet, post: Post) -> None:
    host = net.host()
    host.offer_tls("anything.example")
    host.answer("STARTTLS", "454 4.7.0 no key today")
    net.domain("refusing.mx.test", host)
    post.completed(post.send("x@refusing.mx.test"))
    assert not host.letters[0].is_tls and host.connections == 1


def test_no_mail_in_clear_where_tls_is_required(net: Internet, post: Post) -> None:
    host = net.host()
    net.zone(f"require-host.test A {host.address}")
    message_id = post.send("x@require.test")
    line = post.await_line(message_id, "==")
    text = "a TLS session is required, but the server did not offer TLS support"
    where = f"H=require-host.test [{host.address}]"
    assert line == f"== x@require.test R=smarthosts T=require_test_smtp defer {where}: {text}"
    assert f"{where}: {text}" in post.lines(message_id)
    host.offer_tls("anything.example")
    host.breaks_tls = True
    wait_until(lambda: "STARTTLS" in host.commands, "an attempt with TLS")
    assert not any(command.startswith("MAIL") for command in host.commands)
    host.breaks_tls = False
    post.completed(message_id)
    assert host.letters[0].is_tls


def test_a_certificate_that_is_good(net: Internet, post: Post) -> None:
    host = net.host()
    host.offer_tls("verified-host.test")
    net.zone(f"verified-host.test A {host.address}")
    lines = post.completed(post.send("x@verified.test"))
    assert f'{CIPHER} CV=yes C="' in lines[1]


@pytest.mark.parametrize("name,certified", [("unknown", "unknown-host.test"), ("wrongname", "other.test")])
def test_a_certificate_that_is_not(net: Internet, post: Post, name: str, certified: str) -> None:
    """Signed by nobody we know, or for another name."""
    host = net.host()
    host.offer_tls(certified)
    net.zone(f"{name}-host.test A {host.address}")
    line = post.await_line(post.send(f"x@{name}.test"), "==")
    assert "certificate verify failed" in line
    assert not host.letters
    if name == "wrongname":
        post.completed(post.send("x@fallback.test"))  # verified, but not required: in clear, as Exim does
        assert not host.letters[0].is_tls


def test_tls_from_the_start(net: Internet, post: Post) -> None:
    host = net.host(is_up=False)
    host.offer_tls("smtps-host.test")
    host.tls_from_the_start = True
    host.up()
    net.zone(f"smtps-host.test A {host.address}")
    lines = post.completed(post.send("x@smtps.test"))
    assert host.letters[0].is_tls
    assert f'{CIPHER} CV=yes C="' in lines[1]


# Passwords


def test_a_smarthost_with_a_password(net: Internet, post: Post) -> None:
    host = net.host(offers=PLAIN)
    host.logins = {"me:se:cret^"}
    host.offer_tls("login-host.test")
    net.zone(f"login-host.test A {host.address}")
    lines = post.completed(post.send("x@login.test"))
    assert host.letters[0].login == "me:se:cret^"
    assert f'H=login-host.test [{host.address}] {CIPHER} CV=yes A=at_smarthost:me C="' in lines[1]
    post.completed(post.send("y@login.test"))
    assert host.letters[1].connection == 1


def test_a_password_that_is_refused(net: Internet, post: Post) -> None:
    """PLAIN is not for clear connections here; LOGIN is refused; nothing is sent."""
    host = net.host(offers=PLAIN)
    net.zone(f"refused-host.test A {host.address}")
    message_id = post.send("x@refused.test")
    line = post.await_line(message_id, "==")
    text = "authentication required but authentication attempt(s) failed"
    assert line == f"== x@refused.test R=smarthosts T=refused_test_smtp defer: {text}"
    where = f"H=refused-host.test [{host.address}]"
    assert f"at_others authenticator failed {where} 535 5.7.8 wrong" in post.lines(message_id)
    assert not any(command.startswith(("MAIL", "AUTH PLAIN")) for command in host.commands)


def test_a_password_that_is_only_tried(net: Internet, post: Post) -> None:
    host = net.host(offers=PLAIN)
    net.zone(f"trying-host.test A {host.address}")
    lines = post.completed(post.send("x@trying.test"))
    assert host.letters[0].login == ""
    assert any(line.startswith("at_others authenticator failed") for line in lines)


def test_login_in_steps(net: Internet, post: Post) -> None:
    host = net.host(offers=PLAIN)
    host.logins = {"me:secret-sender-host.test"}
    net.zone(f"sender-host.test A {host.address}")
    lines = post.completed(post.send("x@sender.test"))
    assert host.letters[0].login == "me:secret-sender-host.test"
    assert ' A=at_others C="' in lines[1]


def test_a_host_without_auth_where_it_is_required(net: Internet, post: Post) -> None:
    host = net.host()
    net.zone(f"noauth-host.test A {host.address}")
    line = post.await_line(post.send("x@noauth.test"), "==")
    assert line.endswith(" defer: authentication required but server did not advertise AUTH support")
    guarded = net.host(offers=PLAIN)
    net.zone(f"guarded-host.test A {guarded.address}")
    line = post.await_line(post.send("x@guarded.test"), "==")
    assert line.endswith(" defer: authentication required but no common mechanisms were found")
    assert not any(command.startswith(("MAIL", "AUTH")) for command in guarded.commands)


def test_our_own_users_by_plaintext(mta: Daemon) -> None:
    """The server's side: prompts, condition, name."""

    def answer(challenge: bytes | None = None) -> str:
        return {b"Who": "tom", b"What": "jerry"}[challenge or b""]

    with mta.smtp() as client:
        client.ehlo()
        assert "X-TEST" in client.esmtp_features["auth"].split()
        assert "PLAIN" in client.esmtp_features["auth"].split()  # the accounts' own
        assert client.auth("X-TEST", answer, initial_response_ok=False)[0] == 235
        client.sendmail("x@localhost", [mta.admin.address], b"Subject: x\r\n\r\n")
    mta.await_log(" A=served:tom ")


# The shipped configuration


def uncommented(path: Path, *names: str) -> str:
    """The configuration with the example blocks of these names switched on."""
    lines = path.read_text().splitlines()
    out: list[str] = []
    is_on = False
    for line in lines:
        if line.startswith("# ") and line[2:].strip() in [f"{name}:" for name in names]:
            is_on = True
        elif not line.startswith("# "):
            is_on = False
        out.append(line[2:] if is_on else line)
    return "\n".join(out) + "\n"


def test_the_smarthost_example_of_the_shipped_configuration(net: Internet) -> None:
    host = net.host(offers=(*USUAL, "AUTH PLAIN"))
    host.logins = {"NAME:PASSWORD"}
    host.offer_tls("mail.example.net")
    net.zone(f"mail.example.net A {host.address}")
    daemon = Daemon("--workers", "1")
    try:
        prepare(daemon)
        path = configuration(daemon)
        text = uncommented(path, "smarthost", "smarthost_smtp", "smarthost_login")
        text = text.replace("::587", f"::{net.port}").replace(
            "nameservers =", f"nameservers = {net.nameserver}"
        )
        ca = daemon.folder / "ca.pem"
        net.ca.cert_pem.write_to_path(str(ca))
        text = text.replace(
            "  tls_verify_hosts = *\n", f"  tls_verify_hosts = *\n  tls_verify_certificates = {ca}\n"
        )
        path.write_text(text)
        daemon.start()
        post = Post(daemon, daemon.add_user())
        lines = post.completed(post.send("somebody@elsewhere.example"))
        assert host.letters[0].login == "NAME:PASSWORD"
        assert (
            f"R=smarthost T=smarthost_smtp H=mail.example.net [{host.address}] {CIPHER} CV=yes A=smarthost_login"
            in lines[1]
        )
    finally:
        daemon.remove()
