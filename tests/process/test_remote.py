"""Mail for other domains: the real daemon, a name server and hosts on loopback. Which host gets it, and what becomes of failures."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from smtplib import LMTP, SMTPRecipientsRefused

import pytest
from tests.process.daemon import Daemon, User, wait_until
from tests.process.peers import Host, Internet
from tests.process.prepared import prepare

pytestmark = pytest.mark.process

RETRY = "*                      *           F,2h,15m; G,16h,1h,1.5; F,4d,6h"
RETRIES = """brief.test *  F,2s,1s
*.slow.test  *  F,1h,30m
*  *  F,1m,1s"""
IGNORED = "ignore_target_hosts = <; 0.0.0.0 ; 127.0.0.0/8 ; ::1"
LOCAL_DOMAINS = "domainlist local_domains = @ : localhost"
RECIPIENTS_MAX = "recipients_max = 1000"
VERIFYING = """  accept  hosts         = +relay_from_hosts
          control       = submission/sender_retain
"""
MEMBERS = [f"m{number}@subscribers.test" for number in range(500)]
ROUTERS = """begin routers

lmtp:
  driver = manualroute
  domains = lmtp.test
  transport = lmtp_socket
  route_list = *

lmtp_tcp:
  driver = manualroute
  domains = lmtptcp.test
  transport = lmtp_tcp
  route_list = * 127.0.0.99

errors:
  driver = redirect
  domains = vanish.test
  allow_fail
  data = :fail: nobody here

"""
TRANSPORTS = """begin transports

lmtp_socket:
  driver = lmtp
  socket = @FOLDER@/lmtp
  batch_max = 10

lmtp_tcp:
  driver = smtp
  protocol = lmtp
  port = @PORT@

"""


def daemon_on(net: Internet) -> list[tuple[str, str]]:
    """The edits that put a shipped configuration into this internet."""
    return [
        ("nameservers =", f"nameservers = {net.nameserver}"),
        (IGNORED, "ignore_target_hosts = <; 0.0.0.0 ; 127.0.0.77"),
        ("remote_smtp:\n  driver = smtp\n", f"remote_smtp:\n  driver = smtp\n  port = {net.port}\n"),
        (RETRY, RETRIES),
    ]


@pytest.fixture(scope="module")
def net() -> Iterator[Internet]:
    with Internet() as internet:
        yield internet


@pytest.fixture(scope="module")
def mta(net: Internet, open_folder: Path) -> Iterator[Daemon]:
    """One worker, so that connections can be kept; it must not have panicked at the end."""
    folder = net.sockets = open_folder
    transports = TRANSPORTS.replace("@FOLDER@", str(folder)).replace("@PORT@", str(net.port))
    edits = [
        *daemon_on(net),
        ("begin routers\n", ROUTERS),
        ("begin transports\n", transports),
        ("# Mailbox access [P].", "extra_local_interfaces = 127.0.0.66\n# Mailbox access [P]."),
        ("delay_warning = 24h", "delay_warning = 1s:1h"),
        (RECIPIENTS_MAX, "recipients_max = 2000"),
        (
            VERIFYING,
            "  accept  hosts = 127.0.0.1\n          !local_parts = ^verified\n          control = submission/sender_retain\n"
            "  require verify = recipient\n  accept  hosts = 127.0.0.1\n",
        ),
    ]
    daemon = Daemon("--workers", "1", f"--listen=lmtp=127.0.0.1:{net.lmtp_port}")
    try:
        prepare(daemon, *edits)
        with open(daemon.data / "aliases", "a") as aliases:
            aliases.write(f"thelist: {', '.join(MEMBERS)}\n")
        daemon.start()
        yield daemon
        assert daemon.panics == ""
    finally:
        daemon.remove()


@pytest.fixture
def alice(mta: Daemon) -> User:
    return mta.add_user()


class Post:
    """Sends from one user and looks at what came of it."""

    def __init__(self, mta: Daemon, user: User) -> None:
        self.mta = mta
        self.user = user

    def send(
        self, *to: str, subject: str = "hello", body: str = "Hello.\n", options: tuple[str, ...] = ()
    ) -> str:
        """The message's id."""
        with self.mta.smtp() as client:
            client.ehlo()
            code, reply = client.mail(self.user.address, options)
            assert code == 250, reply
            for address in to:
                code, reply = client.rcpt(address)
                assert code == 250, reply
            text = f"Subject: {subject}\nFrom: {self.user.address}\n\n{body}"
            code, reply = client.data(text.encode().replace(b"\n", b"\r\n"))
            assert code == 250, reply
        return reply.decode().rpartition("id=")[2].split()[0]

    def lines(self, message_id: str) -> list[str]:
        """Of the main log, without time and id."""
        mark = f" {message_id} "
        return [line.partition(mark)[2] for line in self.mta.log.splitlines() if mark in line]

    def await_line(self, message_id: str, text: str, seconds: float = 15.0) -> str:
        try:
            return wait_until(
                lambda: next((line for line in self.lines(message_id) if text in line), ""),
                repr(text),
                seconds,
            )
        except AssertionError as error:
            raise AssertionError(f"{error} for {message_id}; the log has:\n{self.mta.log[-3000:]}") from None

    def completed(self, message_id: str) -> list[str]:
        self.await_line(message_id, "Completed")
        return self.lines(message_id)

    def notices(self, count: int = 1) -> list[EmailMessage]:
        """What came into the user's mailbox."""
        paths = wait_until(
            lambda: found if len(found := self.mta.delivered(self.user)) >= count else [], f"{count} notices"
        )
        parser = BytesParser(policy=default)
        return [parser.parsebytes(path.read_bytes()) for path in sorted(paths)]


@pytest.fixture
def post(mta: Daemon, alice: User) -> Post:
    return Post(mta, alice)


def report_of(notice: EmailMessage) -> tuple[Message, list[Message]]:
    """Fields of the message and of each recipient of an RFC 3464 report."""
    assert notice.get_content_type() == "multipart/report"
    assert notice.get_param("report-type") == "delivery-status"
    parts = list(notice.iter_parts())
    assert parts[1].get_content_type() == "message/delivery-status"
    blocks = parts[1].get_payload()
    assert isinstance(blocks, list)
    return blocks[0], blocks[1:]


# Which host


def test_exchangers_are_tried_in_their_order(net: Internet, post: Post) -> None:
    first, second = net.host(), net.host()
    net.domain("order.test", first, second)
    lines = post.completed(post.send("x@order.test"))
    assert len(first.letters) == 1 and not second.letters
    assert lines[1].startswith(
        f"=> x@order.test R=dnslookup T=remote_smtp H=mx1.order.test [{first.address}] "
    )


def test_equal_exchangers_share(net: Internet, post: Post) -> None:
    hosts = [net.host(), net.host()]
    for number, host in enumerate(hosts):
        net.zone(f"equal.test MX 10 m{number}.equal.test", f"m{number}.equal.test A {host.address}")
    for _ in range(40):  # the chance that one gets nothing is 2 in 2**40
        post.send("x@equal.test")
    wait_until(lambda: sum(len(host.letters) for host in hosts) == 40, "40 letters")
    assert all(host.letters for host in hosts)


def test_without_mx_the_address_counts(net: Internet, post: Post) -> None:
    host = net.host()
    net.zone(f"plain.test A {host.address}")
    lines = post.completed(post.send("x@plain.test"))
    assert f"H=plain.test [{host.address}]" in lines[1]


def test_an_ipv6_address_that_cannot_be_reached(net: Internet, post: Post) -> None:
    host = net.host()
    net.zone("six.test AAAA 2001:db8::25", f"six.test A {host.address}")
    post.completed(post.send("x@six.test"))
    assert len(host.letters) == 1


def test_names_with_an_alias(net: Internet, post: Post) -> None:
    host = net.host()
    net.domain("real.test", host)
    net.zone("alias.test CNAME real.test")
    post.completed(post.send("x@alias.test"))
    assert host.letters[0].rcpts == ["<x@alias.test>"]


def test_an_exchanger_that_is_an_alias(net: Internet, post: Post) -> None:
    host = net.host()
    net.zone("viaalias.test MX 10 mx.viaalias.test", "mx.viaalias.test CNAME host.viaalias.test")
    net.zone(f"host.viaalias.test A {host.address}")
    post.completed(post.send("x@viaalias.test"))
    assert len(host.letters) == 1


def test_a_domain_that_takes_no_mail(net: Internet, post: Post) -> None:
    net.zone("null.test MX 0 .")
    message_id = post.send("x@null.test")
    lines = post.completed(message_id)
    assert lines[1].startswith("** x@null.test")
    assert "an MX or SRV record indicated no SMTP service" in lines[1]
    _, [about] = report_of(post.notices()[0])
    assert about["Final-Recipient"] == "rfc822;x@null.test"
    assert about["Action"] == "failed"
    with post.mta.smtp() as client, pytest.raises(SMTPRecipientsRefused) as refused:
        client.sendmail(post.user.address, ["verified@null.test"], b"")
    code, reply = refused.value.recipients["verified@null.test"]
    assert code == 550 and b"an MX or SRV record indicated no SMTP service" in reply


def test_a_domain_that_leads_to_ourselves(net: Internet, post: Post) -> None:
    net.zone("loop.test MX 10 mx.loop.test", "mx.loop.test A 127.0.0.1")
    message_id = post.send("x@loop.test")
    post.await_line(message_id, "Frozen")
    assert post.lines(message_id)[1:] == [
        "lowest numbered MX record points to local host: loop.test",
        "== x@loop.test R=dnslookup defer: lowest numbered MX record points to local host",
        "Frozen",
    ]


def test_an_address_that_is_ours_by_configuration(net: Internet, post: Post) -> None:
    net.zone("nat.test MX 10 mx.nat.test", "mx.nat.test A 127.0.0.66")
    post.await_line(post.send("x@nat.test"), "Frozen")


def test_ourselves_behind_a_better_host_that_is_down(net: Internet, post: Post) -> None:
    """We are the backup: never to ourselves or those behind us."""
    down, behind = net.host(is_up=False), net.host()
    net.zone(
        "backup.test MX 10 a.backup.test",
        "backup.test MX 20 b.backup.test",
        "backup.test MX 30 c.backup.test",
    )
    net.zone(
        f"a.backup.test A {down.address}", "b.backup.test A 127.0.0.1", f"c.backup.test A {behind.address}"
    )
    message_id = post.send("x@backup.test")
    post.await_line(message_id, "==")
    down.up()
    post.completed(message_id)
    assert len(down.letters) == 1 and not behind.connections


def test_a_name_server_that_fails_is_no_bounce(net: Internet, post: Post) -> None:
    net.zone("shaky.test SERVFAIL")
    message_id = post.send("x@shaky.test")
    assert "host lookup did not complete" in post.await_line(message_id, "== x@shaky.test R=dnslookup defer")
    net.dns.zone.failing.pop("shaky.test")
    host = net.host()
    net.domain("shaky.test", host)
    post.completed(message_id)
    assert len(host.letters) == 1


def test_a_domain_that_does_not_exist(post: Post) -> None:
    lines = post.completed(post.send("x@nowhere.test"))
    assert lines[1] == "** x@nowhere.test : Unrouteable address"
    assert "Unrouteable address" in post.notices()[0].get_body().get_content()


# Hosts that fail


def test_the_second_host_takes_what_the_first_cannot(net: Internet, post: Post) -> None:
    first, second = net.host(is_up=False), net.host()
    net.domain("second.test", first, second)
    lines = post.completed(post.send("x@second.test"))
    assert lines[1] == f"H=mx1.second.test [{first.address}] Connection refused"
    assert lines[2].startswith(
        f"=> x@second.test R=dnslookup T=remote_smtp H=mx2.second.test [{second.address}]"
    )


@pytest.mark.parametrize("start,reply", [("CONNECT", "421 not now"), ("MAIL", "452 full"), (".", "451 no")])
def test_a_temporary_answer_sends_it_to_the_second_host(
    net: Internet, post: Post, start: str, reply: str
) -> None:
    first, second = net.host(), net.host()
    name = f"temporary-{start.strip('.').lower() or 'dot'}.test"
    net.domain(name, first, second)
    first.answer(start, reply)
    post.completed(post.send(f"x@{name}"))
    assert len(second.letters) == 1 and not first.letters


def test_who_answers_ehlo_with_421_and_stays_is_asked_by_helo(net: Internet, post: Post) -> None:
    """As Exim does: the reply alone does not end it."""
    first, second = net.host(), net.host()
    net.domain("busy.test", first, second)
    first.answer("EHLO", "421 busy")
    post.completed(post.send("x@busy.test"))
    assert len(first.letters) == 1 and not second.letters


def test_a_host_that_hangs_up_at_every_stage(net: Internet, post: Post) -> None:
    for stage in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."):
        first, second = net.host(), net.host()
        name = f"hangup-{stage.strip('.').lower() or 'dot'}.test"
        net.domain(name, first, second)
        first.answer(stage, "")
        post.completed(post.send(f"x@{name}"))
        assert len(second.letters) == 1, stage


def test_all_hosts_down_until_one_comes_up(net: Internet, post: Post) -> None:
    hosts = [net.host(is_up=False), net.host(is_up=False)]
    net.domain("down.test", *hosts)
    message_id = post.send("x@down.test")
    line = post.await_line(message_id, "==")
    assert line == "== x@down.test R=dnslookup T=remote_smtp defer (Connection refused)"
    hosts[1].up()
    post.completed(message_id)
    assert len(hosts[1].letters) == 1


def test_a_host_that_stays_down_until_time_is_up(net: Internet, post: Post) -> None:
    down = net.host(is_up=False)
    net.domain("brief.test", down)
    message_id = post.send("x@brief.test")
    lines = post.completed(message_id)
    assert "** x@brief.test: retry timeout exceeded" in lines
    failed = [n for n in post.notices() if n["X-Failed-Recipients"]]
    _, [about] = report_of(failed[0])
    assert about["Action"] == "failed"
    assert "retry timeout exceeded" in failed[0].get_body().get_content()


def test_a_delay_warning(net: Internet, post: Post) -> None:
    down = net.host(is_up=False)
    net.domain("delayed.test", down)
    message_id = post.send("x@delayed.test")
    [warning] = post.notices()
    assert warning["Subject"].startswith("Warning: message")
    assert message_id in warning["Subject"]
    _, [about] = report_of(warning)
    assert about["Action"] == "delayed"
    assert about["Status"].startswith("4.")
    down.up()
    post.completed(message_id)


# Answers about recipients and messages


def test_a_refused_recipient_is_returned(net: Internet, post: Post) -> None:
    host = net.host()
    net.domain("refuse.test", host)
    host.answer("RCPT TO:<bad@", "550 5.1.1 no such user")
    message_id = post.send("bad@refuse.test", "good@refuse.test", subject="mixed")
    lines = post.completed(message_id)
    assert host.letters[0].rcpts == ["<good@refuse.test>"]
    where = f"R=dnslookup T=remote_smtp H=mx1.refuse.test [{host.address}]"
    said = "SMTP error from remote mail server after RCPT TO:<bad@refuse.test>: 550 5.1.1 no such user"
    assert f"** bad@refuse.test {where} : {said}" in lines
    [notice] = post.notices()
    assert notice["Auto-Submitted"] == "auto-replied"
    assert notice["X-Failed-Recipients"] == "bad@refuse.test"
    assert notice["Return-path"] == "<>"
    about_message, [about] = report_of(notice)
    assert about_message["Reporting-MTA"].startswith("dns; ")
    assert about["Final-Recipient"] == "rfc822;bad@refuse.test"
    assert about["Action"] == "failed"
    assert about["Status"] == "5.1.1"
    assert about["Remote-MTA"] == "dns; mx1.refuse.test"
    assert about["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    returned = list(notice.iter_parts())[2]
    assert returned.get_content_type() == "message/rfc822"
    assert returned.get_payload(0)["Subject"] == "mixed"


def test_only_the_recipient_that_must_wait_waits(net: Internet, post: Post) -> None:
    host = net.host()
    net.domain("wait.test", host)
    host.answer("RCPT TO:<later@", "451 4.2.1 greylisted", times=1)
    message_id = post.send("a@wait.test", "later@wait.test", "b@wait.test")
    lines = post.completed(message_id)
    assert [letter.rcpts for letter in host.letters] == [
        ["<a@wait.test>", "<b@wait.test>"],
        ["<later@wait.test>"],
    ]
    deferred = [line for line in lines if line.startswith("==")]
    assert deferred == [
        f"== later@wait.test R=dnslookup T=remote_smtp defer H=mx1.wait.test [{host.address}]: "
        "SMTP error from remote mail server after RCPT TO:<later@wait.test>: 451 4.2.1 greylisted"
    ]


def test_a_refused_message(net: Internet, post: Post) -> None:
    host = net.host()
    net.domain("content.test", host)
    host.answer(".", "554 5.7.1 looks like spam")
    lines = post.completed(post.send("x@content.test"))
    failed = next(line for line in lines if line.startswith("**"))
    assert failed.endswith("SMTP error from remote mail server after end of data: 554 5.7.1 looks like spam")
    _, [about] = report_of(post.notices()[0])
    assert about["Status"] == "5.7.1"


def test_a_bounce_that_cannot_be_delivered_is_frozen(net: Internet, mta: Daemon) -> None:
    mta.send(b"Subject: x\n\n", to="x@nowhere.test", sender="somebody@vanish.test")
    line = wait_until(
        lambda: next((one for one in mta.log.splitlines() if "** somebody@vanish.test" in one), ""),
        "a failed bounce",
    )
    bounce = line.split()[2]
    mta.await_log(f"{bounce} Frozen (delivery error message)")


# Extensions


def test_what_was_offered_is_used(net: Internet, post: Post) -> None:
    host = net.host()
    net.domain("extended.test", host)
    post.completed(post.send("x@extended.test", body="Grüße\n", options=("BODY=8BITMIME", "SIZE=500")))
    [letter] = host.letters
    assert "BODY=8BITMIME" in letter.mail
    size = int(letter.mail.partition("SIZE=")[2].split()[0])
    assert len(letter.data) <= size <= len(letter.data) + 2048
    assert "Grüße\r\n".encode() in letter.data


def test_a_host_of_the_old_kind(net: Internet, post: Post) -> None:
    host = net.host()
    net.domain("old.test", host)
    host.answer("EHLO", "502 what?")
    post.completed(post.send("x@old.test"))
    assert [command.split()[0] for command in host.commands[:5]] == ["EHLO", "HELO", "MAIL", "RCPT", "DATA"]
    assert host.letters[0].mail == f"<{post.user.address}>"


def test_a_message_too_large_for_the_host(net: Internet, post: Post) -> None:
    host = net.host(offers=("PIPELINING", "SIZE 1000"))
    net.domain("small.test", host)
    host.answer("MAIL", "552 5.3.4 too big")
    lines = post.completed(post.send("x@small.test", body="x" * 70 + "\n"))
    failed = next(line for line in lines if line.startswith("**"))
    assert "after pipelined MAIL FROM:<" in failed and failed.endswith("552 5.3.4 too big")


def test_chunks(net: Internet, post: Post) -> None:
    host = net.host(offers=("PIPELINING", "CHUNKING", "8BITMIME"))
    net.domain("chunks.test", host)
    body = "".join(f".{number} a line with a dot in front\n" for number in range(20_000))
    lines = post.completed(post.send("x@chunks.test", body=body))
    [letter] = host.letters
    assert letter.is_chunked
    assert letter.data.partition(b"\r\n\r\n")[2] == body.encode().replace(b"\n", b"\r\n")
    assert " K C=" in lines[1]


def test_addresses_beyond_ascii(net: Internet, post: Post) -> None:
    able, unable = net.host(), net.host(offers=("8BITMIME",))
    net.domain("utf8.test", able)
    net.domain("ascii.test", unable)
    post.completed(post.send("jörg@utf8.test", options=("SMTPUTF8",)))
    assert able.letters[0].rcpts == ["<jörg@utf8.test>"]
    assert "SMTPUTF8" in able.letters[0].mail
    post.completed(post.send("jörg@ascii.test", options=("SMTPUTF8",)))
    assert unable.letters[0].rcpts == ["<xn--jrg-sna@ascii.test>"]
    assert "SMTPUTF8" not in unable.letters[0].mail


def test_one_connection_for_several_messages(net: Internet, post: Post) -> None:
    host = net.host()
    net.domain("again.test", host)
    first = post.completed(post.send("x@again.test"))
    second = post.completed(post.send("y@again.test"))
    assert [letter.connection for letter in host.letters] == [1, 1]
    assert f"H=mx1.again.test [{host.address}] C=" in first[1]
    assert f"H=mx1.again.test [{host.address}]* C=" in second[1]


# Many recipients


def test_a_thousand_recipients(net: Internet, post: Post) -> None:
    host = net.host()
    net.domain("many.test", host)
    names = [f"u{number}@many.test" for number in range(1000)]
    lines = post.completed(post.send(*names))
    rcpts = [rcpt for letter in host.letters for rcpt in letter.rcpts]
    assert sorted(rcpts) == sorted(f"<{name}>" for name in names)
    assert max(len(letter.rcpts) for letter in host.letters) == 100  # max_rcpt
    delivered = [line.split()[1] for line in lines if line[:2] in ("=>", "->")]
    assert sorted(delivered) == sorted(names)
    # 166 for each of six connections (remote_max_parallel) in two lots, and four that are left: as Exim divides them.
    assert len([line for line in lines if line.startswith("=>")]) == 13


def test_a_list(net: Internet, post: Post) -> None:
    host = net.host()
    net.domain("subscribers.test", host)
    message_id = post.send("thelist@localhost")
    lines = post.completed(message_id)
    assert sum(len(letter.rcpts) for letter in host.letters) == 500, lines[:4]
    assert any(
        line.startswith("=> m0@subscribers.test <thelist@localhost> R=dnslookup T=remote_smtp")
        for line in lines
    )


# LMTP


def test_lmtp_to_a_socket(net: Internet, post: Post) -> None:
    host = net.host(is_up=False)
    host.is_lmtp = True
    host.up(net.sockets / "lmtp")
    host.answer(". <bad@", "550 5.2.2 mailbox full")
    host.answer(". <later@", "452 4.2.2 mailbox full", times=1)
    lines = post.completed(post.send("good@lmtp.test", "bad@lmtp.test", "later@lmtp.test"))
    assert host.commands[0].startswith("LHLO ")
    assert [letter.rcpts for letter in host.letters] == [["<good@lmtp.test>"], ["<later@lmtp.test>"]]
    assert any(line.startswith("** bad@lmtp.test") for line in lines)
    assert any(line.startswith("== later@lmtp.test") for line in lines)
    assert any(line.startswith(("=> good@lmtp.test", "=> good <good@")) for line in lines)


def test_lmtp_over_tcp(net: Internet, post: Post) -> None:
    host = Host(net, "127.0.0.99", ("PIPELINING", "8BITMIME"))
    host.is_lmtp = True
    host.up()
    lines = post.completed(post.send("a@lmtptcp.test", "b@lmtptcp.test"))
    assert host.letters[0].rcpts == ["<a@lmtptcp.test>", "<b@lmtptcp.test>"]
    assert "H=127.0.0.99 [127.0.0.99]" in lines[1]
    host.down()


def test_lmtp_in(net: Internet, mta: Daemon) -> None:
    users = [mta.add_user(), mta.add_user()]
    with LMTP("127.0.0.1", net.lmtp_port, "client.example", timeout=30) as client:
        client.ehlo()
        client.mail("x@localhost")
        for user in users:
            assert client.rcpt(user.address)[0] == 250
        assert client.docmd("DATA")[0] == 354
        client.send(b"Subject: by lmtp\r\n\r\n.\r\n")
        assert [client.getreply()[0] for _ in users] == [250, 250]
    for user in users:
        [path] = wait_until(lambda name=user: mta.delivered(name), "mail by LMTP")
        assert b"Subject: by lmtp" in path.read_bytes()
    assert " P=lmtp " in mta.await_log("<= x@localhost H=(client.example)")


def test_a_host_that_takes_what_it_refused(net: Internet, post: Post) -> None:
    """MAIL refused, but RCPT and DATA of the same group taken: it gets no message all the same."""
    first, second = net.host(), net.host()
    net.domain("lenient.test", first, second)
    first.answer("MAIL", "552 too big")
    lines = post.completed(post.send("x@lenient.test"))
    assert not first.letters and not second.letters
    assert any(line.startswith("** x@lenient.test") for line in lines)
