"""Bounces and warnings, compared with those that the real Exim writes about the same message: header, text, machine part and copy.

Exim hands a notice to the program that `exim_path` names: here a script that keeps it. Pillarbox delivers its own to a file.
"""

from __future__ import annotations

import email
import os
import pwd
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oracle.real_exim import MISSING, find_exim

pytestmark = pytest.mark.oracle

PILLARBOX = Path(sys.executable).with_name("exim")
LETTER = "From: x@example\nTo: list@example\nSubject: hello there\nMessage-ID: <abc@x>\n\nBody\n"
MAIN = """
{own}
spool_directory = {spool}
log_file_path = {spool}/%slog
primary_hostname = mail.example
qualify_domain = example
keep_environment =
{options}
begin routers
back:
  driver = accept
  senders = :
  domains = example
  local_parts = alice : bob : three : copy : two : postmaster
  transport = box
gone:
  driver = redirect
  local_parts = gone : gone2
  allow_fail
  data = :fail: gone away, no forward
alias:
  driver = redirect
  local_parts = list
  data = gone, bad, gone2@other.example
later:
  driver = redirect
  local_parts = later : later2
  allow_defer
  data = :defer: try later, please
said:
  driver = redirect
  local_parts = said
  allow_fail
  data = :fail: ${sg{$h_subject:}{~}{\\n}}
command:
  driver = accept
  local_parts = bad : bad2
  transport = command
rest:
  driver = redirect
  allow_fail
  data = :fail: gone for good
begin transports
box:
  driver = appendfile
  file = {spool}/box/${local_part_data}
  user = {user}
  no_delivery_date_add
  no_envelope_to_add
  no_return_path_add
command:
  driver = pipe
  command = /bin/sh -c "echo hello; exit 3"
  return_output
  user = nobody
begin retry
* * F,20d,1m
"""
ITEMS = """Subject: custom for $bounce_recipient limit $bounce_return_size_limit
X-Other: $sender_address
****
Second item: $sender_address for <$bounce_recipient>

more:
****
Third item
****
4
"""
WARNING = """Subject: warn $warn_message_delay to $warn_message_recipients
****
Second $warn_message_recipients $h_subject: $primary_hostname
****
Third
"""
WORDS = {
    "ITEMS": ITEMS,
    "WARNING": WARNING,
    "EMPTY": "****\n****\n",
    "BAD": "Subject: ${if foo}\n****\n$nonesuch\n****\n",
}
LONG = "SMTP error from remote mail server after RCPT TO:<gone@example>: 550 5.1.1 no such user: and: a colon"

BOUNCES: dict[str, tuple[str, str, str, str]] = {
    "plain": ("", LETTER, "alice@example", "gone@example"),
    "several": ("", LETTER, "alice@example", "gone@example a@x.y b@x.y c@x.y"),
    "generated": ("", LETTER, "alice@example", "gone@example a@x.y list@example c@x.y"),
    "outputs": ("", LETTER, "alice@example", "bad@example gone@example bad2@example"),
    "text": (r"bounce_message_text = This is extra.\nAnd more", LETTER, "alice@example", "gone@example"),
    "text lines": (r'bounce_message_text = "This is extra.\nAnd more\n"', LETTER, "alice@example", "gone@example"),
    "reply to": ("errors_reply_to = help@example", LETTER, "alice@example", "gone@example"),
    "file": ("bounce_message_file = ITEMS", LETTER, "alice@example", "list@example"),
    "empty file": ("bounce_message_file = EMPTY", LETTER, "alice@example", "list@example"),
    "bad file": ("bounce_message_file = BAD", LETTER, "alice@example", "gone@example"),
    "no file": ("bounce_message_file = /nonexistent/x", LETTER, "alice@example", "gone@example"),
    "no body": ("no_bounce_return_body", LETTER, "alice@example", "gone@example"),
    "small": ("bounce_return_size_limit = 20", LETTER + "y" * 70 + "\n", "alice@example", "gone@example"),
    "large": ("bounce_return_size_limit = 20", LETTER + ("y" * 70 + "\n") * 150, "alice@example", "gone@example"),
    "round": ("bounce_return_size_limit = 9000", LETTER + ("y" * 70 + "\n") * 190, "alice@example", "gone@example"),
    "long line": ("bounce_return_linesize_limit = 50", LETTER + "y" * 51 + "\n", "alice@example", "gone@example"),
    "fitting line": ("bounce_return_linesize_limit = 80", LETTER + "y" * 80 + "\n", "alice@example", "gone@example"),
    "long header": (
        "bounce_return_linesize_limit = 80", "X-Long: " + "x" * 90 + "\n" + LETTER, "alice@example", "gone@example",
    ),
    "very long line": ("", LETTER + "y" * 999 + "\n", "alice@example", "gone@example"),
    "no message id": ("", LETTER.replace("Message-ID: <abc@x>\n", ""), "alice@example", "gone@example"),
    "other from": ('dsn_from = "Post <post@$qualify_domain>"', LETTER, "alice@example", "gone@example"),
    "long reason": ("", LETTER.replace("hello there", LONG), "alice@example", "said@example"),
    "colon at 45": ("", LETTER.replace("hello there", "x" * 44 + ": a b"), "alice@example", "said@example"),
    "colon at 46": ("", LETTER.replace("hello there", "x" * 45 + ": a b"), "alice@example", "said@example"),
    "colon at 47": ("", LETTER.replace("hello there", "x" * 46 + ": a b"), "alice@example", "said@example"),
    "colons": ("", LETTER.replace("hello there", ("x" * 40 + ": ") * 5), "alice@example", "said@example"),
    "two colons": ("", LETTER.replace("hello there", "x" * 46 + ":  a b " + "y" * 46 + ": c"), "alice@example", "said@example"),
}  # fmt: skip
WARNINGS: dict[str, tuple[str, str, str, str, int]] = {
    "warning": ("", LETTER, "alice@example", "later@example", 90000),
    "two late": ("", LETTER, "bob@example", "later@example later2@example", 90000),
    "days": ("", LETTER, "alice@example", "later@example", 500000),
    "minutes": ("delay_warning = 10m:20m", LETTER, "alice@example", "later@example", 1900),
    "no fields": ("", "X: y\n\nz\n", "alice@example", "later@example", 90000),
    "own words": ("warn_message_file = WARNING\nerrors_reply_to = x@y.z", LETTER, "alice@example", "later@example", 90000),
    "bad words": ("warn_message_file = BAD", LETTER, "alice@example", "later@example", 90000),
    "too early": ("", LETTER, "alice@example", "later@example", 80000),
    "never": ("delay_warning = 0s", LETTER, "alice@example", "later@example", 90000),
    "condition": ("delay_warning_condition = ${if eq{$h_subject:}{x}{yes}{no}}", LETTER, "alice@example", "later@example", 90000),
    "true condition": ("delay_warning_condition = ${if eq{$h_subject:}{x}{yes}{true}}", LETTER, "alice@example", "later@example", 90000),
    "empty condition": ("delay_warning_condition = ${if eq{$h_subject:}{x}{yes}}", LETTER, "alice@example", "later@example", 90000),
    "forced": ("delay_warning_condition = ${if eq{$h_subject:}{x}{yes}fail}", LETTER, "alice@example", "later@example", 90000),
    "bulk": ("", "Precedence: bulk\n" + LETTER, "alice@example", "later@example", 90000),
    "list": ("", "List-Id: <x.y>\n" + LETTER, "alice@example", "later@example", 90000),
    "frozen told": ("freeze_tell = postmaster@example", LETTER, "<>", "gone@example", 0),
    "frozen untold": ("", LETTER, "<>", "gone@example", 0),
}  # fmt: skip
COPIES = {
    "copy": "errors_copy = alice@example copy@example, two@example : *@example three@example",
    "second": "errors_copy = bob@example copy@example : *@example three@example",
    "nobody": "errors_copy = bob@example copy@example",
    "captured": "errors_copy = a*e@example copy@example",
    "named": "addresslist us = alice@example\nerrors_copy = +us two@example",
    "negated": "errors_copy = !bob@example two@example",
}


@pytest.fixture
def place() -> Iterator[Path]:
    if find_exim() is None:
        pytest.skip(MISSING)
    if os.getuid() != 0 or not any(entry.pw_name == "Debian-exim" for entry in pwd.getpwall()):
        pytest.skip("needs root and the user Debian-exim")
    with tempfile.TemporaryDirectory(prefix="notices") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def _prepare(place: Path, who: str, options: str) -> Path:
    spool = place / who
    (spool / "box").mkdir(parents=True)
    (spool / "box").chmod(0o777)
    user = pwd.getpwnam("Debian-exim")
    os.chown(spool, user.pw_uid, user.pw_gid)
    for name, text in WORDS.items():
        (place / name).write_text(text)
        options = options.replace(name, str(place / name))
    keeper = place / "keeper"
    keeper.write_text(f"#!/bin/sh\ncat > {place}/exim/box/notice\n")
    keeper.chmod(0o755)
    own = f"exim_path = {keeper}" if who == "exim" else "exim_user = Debian-exim"
    config = place / f"{who}.conf"
    text = MAIN
    for field, value in (("own", own), ("spool", spool), ("options", options), ("user", "mail")):
        text = text.replace(f"{{{field}}}", str(value))
    config.write_text(text)
    return spool


def _run(place: Path, who: str, options: str, letter: str, sender: str, recipients: str, age: int) -> str:
    spool = _prepare(place, who, options)
    program = find_exim() if who == "exim" else str(PILLARBOX)
    base = [str(program), "-C", str(place / f"{who}.conf")]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*base, *words], input=letter, text=True, capture_output=True, timeout=60)

    run("-f", sender, "-odq", "-oi", *recipients.split())
    [header] = spool.glob("input/*-H")
    if age:
        _make_older(header, age)
    said = run("-M", header.name.removesuffix("-H"))
    boxes = sorted(box for box in (spool / "box").iterdir() if box.name != "notice.lock")
    log = (spool / "mainlog").read_text()
    assert boxes or "Traceback" not in said.stderr, said.stderr
    return boxes[0].read_text() if boxes else f"none{'!' if 'Traceback' in log else ''}"


def _make_older(header: Path, age: int) -> None:
    lines = header.read_bytes().split(b"\n")
    arrived, warnings = lines[3].split()
    lines[3] = b"%d %s" % (int(arrived) - age, warnings)
    header.write_bytes(b"\n".join(lines))


def _shown(text: str) -> str:
    """Without what a box adds, fields that Exim adds at reception, ids, times, boundaries and who is at work."""
    text = re.sub(r"\AFrom .*\n", "", text)
    head, blank, body = text.partition("\n\n")
    head = re.sub(r"(?m)^(Received|Message-Id|Date|Bcc):.*\n?(?:[ \t].*\n?)*", "", head + "\n").rstrip("\n")
    body = re.sub(r"(?m)^Received: .*\n(?:[ \t].*\n)*", "Received: …\n", body.rstrip("\n"))
    body = re.sub(r"(?m)^(The date of the message is: +|Date: ).*\n", r"\1…\n", body)
    body = re.sub(r"(?m)^(Message-Id: ).*\n", r"\1…\n", body)
    text = head + blank + body
    text = re.sub(r"\d+-eximdsn-[\w-]+", "BOUNDARY", text)
    return re.sub(r"\b(E?)\w{6}-\w{11}-\w{4}\b", r"\1ID", text)


def _compare(place: Path, options: str, letter: str, sender: str, recipients: str, age: int = 0) -> None:
    theirs = _run(place, "exim", options, letter, sender, recipients, age)
    ours = _run(place, "pillarbox", options, letter, sender, recipients, age)
    assert _shown(ours) == _shown(theirs)
    if ours != "none":
        assert not email.message_from_string(ours).defects


@pytest.mark.parametrize("name", BOUNCES)
def test_bounce(name: str, place: Path) -> None:
    _compare(place, *BOUNCES[name])


@pytest.mark.parametrize("name", WARNINGS)
def test_warning(name: str, place: Path) -> None:
    _compare(place, *WARNINGS[name])


@pytest.mark.parametrize("name", COPIES)
def test_copies(name: str, place: Path) -> None:
    theirs = _run(place, "exim", COPIES[name], LETTER, "alice@example", "gone@example", 0)
    named = re.search(r"(?m)^Bcc: (.*)", theirs)
    expected = {word.partition("@")[0] for word in named.group(1).split(", ")} if named else set()
    _run(place, "pillarbox", COPIES[name], LETTER, "alice@example", "gone@example", 0)
    deadline = time.monotonic() + 5
    assert {box.name for box in (place / "pillarbox" / "box").iterdir()} == {"alice", *expected}
    assert time.monotonic() < deadline
