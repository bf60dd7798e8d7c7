"""Strange clients: sequences of commands in every state of a session, one by one and pipelined, drawn the same each time.

A sequence is a way into a state, and two to five commands more, QUIT behind. Some hundred are held with one daemon, a connection each.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import msgspec
from tests.oracle.flow.dialogue import Daemon, Program, free_ports
from tests.oracle.flow.logins import files
from tests.oracle.flow.places import Place, Seen

CONFIGURATION = """\
OWN_TLS = 1
tls_advertise_hosts = *
tls_certificate = {dir}/server.pem
tls_privatekey = {dir}/server.key
auth_advertise_hosts = *
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
acl_smtp_vrfy = accept
acl_smtp_etrn = deny message = not now
acl_smtp_data = data
log_selector = +smtp_syntax_error +smtp_protocol_error +smtp_incomplete_transaction +smtp_no_mail +smtp_connection
LIMITS
begin acl
mail:
  deny senders = no@*
       message = bad sender
  accept
rcpt:
  deny local_parts = no
       message = no such user
  defer local_parts = later
       message = come again
  accept
data:
  deny condition = ${if match{$message_body}{refuse}}
       message = bad content
  accept
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if eq{$auth3}{word}}
  server_set_id = $auth2
  server_advertise_condition = true
"""
LIMITS: Mapping[str, str] = {
    "usual": "",
    "patient": "smtp_max_synprot_errors = 99\nsmtp_max_unknown_commands = 99\nsmtp_accept_max_nonmail = 99",
    "strict": "smtp_max_synprot_errors = 1\nsmtp_max_unknown_commands = 1\nsmtp_accept_max_nonmail = 1\n"
    "smtp_accept_max_per_connection = 1",
}
STATES: Mapping[str, tuple[str, ...]] = {
    "start": (),
    "helo": ("HELO a",),
    "ehlo": ("EHLO a",),
    "mail": ("EHLO a", "MAIL FROM:<a@b.example>"),
    "rcpt": ("EHLO a", "MAIL FROM:<a@b.example>", "RCPT TO:<x@y.example>"),
    "old": ("HELO a", "MAIL FROM:<a@b.example>", "RCPT TO:<x@y.example>"),
    "no_mail": ("EHLO a", "MAIL FROM:<no@b.example>"),
    "no_rcpt": ("EHLO a", "MAIL FROM:<a@b.example>", "RCPT TO:<no@y.example>"),
    "no_rcpts": ("EHLO a", "MAIL FROM:<a@b.example>", "RCPT TO:<no@y.example>", "RCPT TO:<later@y.example>"),
    "chunk": ("EHLO a", "MAIL FROM:<a@b.example>", "RCPT TO:<x@y.example>", "BDAT 12\r\nSubject: x\r\n"),
    "message": ("EHLO a", "MAIL FROM:<a@b.example>", "RCPT TO:<x@y.example>", "DATA"),
    "login": ("EHLO a", "AUTH PLAIN AG5hbWUAd29yZA=="),
}
VERBS = (
    "HELO b",
    "EHLO b",
    "EHLO",
    "HELO b!c",
    "MAIL FROM:<a@b.example>",
    "MAIL FROM:<no@b.example>",
    "MAIL FROM:<a b>",
    "MAIL FROM:<a@b.example> SIZE=10 FOO=BAR",
    "RCPT TO:<x@y.example>",
    "RCPT TO:<no@y.example>",
    "RCPT TO:<later@y.example>",
    "RCPT TO:<x@y@z>",
    "DATA",
    "DATA x",
    "BDAT 0",
    "BDAT 2 LAST\r\n\r\n",
    "BDAT 12\r\nSubject: x\r\n",
    "BDAT 12 LAST\r\nSubject: x\r\n",
    "BDAT 8 LAST\r\nrefuse\r\n",
    "RSET",
    "NOOP",
    "HELP",
    "FOO bar",
    "VRFY x@y.example",
    "VRFY",
    "EXPN x@y.example",
    "ETRN x",
    "AUTH PLAIN AG5hbWUAd29yZA==",
    "AUTH PLAIN AG5hbWUAd3Jvbmc=",
    "AUTH FOO",
    "AUTH PLAIN",
    "QUIT",
)
IN_A_SESSION_OF_THE_DAEMON = 60
DRAWN = {
    ("usual", "one_by_one"): 180,
    ("usual", "pipelined"): 60,
    ("patient", "one_by_one"): 120,
    ("strict", "one_by_one"): 60,
}
"""Sequences, by LIMITS and how they are said."""


class Batch(msgspec.Struct, frozen=True):
    name: str
    configuration: str
    scripts: tuple[tuple[str, str], ...]
    """(name, script), a connection each."""


def batches() -> list[Batch]:
    made = []
    for (limits, way), count in DRAWN.items():
        chosen = random.Random(f"{limits} {way}")
        scripts = [_drawn(chosen, f"{limits}-{way}-{n}", way) for n in range(count)]
        text = CONFIGURATION.replace("LIMITS", LIMITS[limits])
        for start in range(0, count, IN_A_SESSION_OF_THE_DAEMON):
            part = tuple(scripts[start : start + IN_A_SESSION_OF_THE_DAEMON])
            made.append(Batch(f"{limits}-{way}-{start}", text, part))
    return made


def _drawn(chosen: random.Random, name: str, way: str) -> tuple[str, str]:
    state = chosen.choice(list(STATES))
    verbs = _sensible([*STATES[state], *chosen.choices(VERBS, k=chosen.randint(2, 5)), "QUIT"])
    if way == "pipelined":  # Exim hangs where anything follows the octets of BDAT
        verbs = [verb for verb in verbs if not verb.startswith("BDAT")]
    if way == "one_by_one":
        return f"{name}-{state}", "".join(_alone(verb) for verb in verbs)
    return f"{name}-{state}", _together(verbs)


def _sensible(verbs: list[str]) -> list[str]:
    """Without what is answered otherwise on purpose (docs/exim-compatibility.md): BDAT with octets where it was not offered
    or comes too late (commands-that-are-no-lines), and DATA, QUIT or NOOP between two BDAT (odd-arguments), where RSET comes first."""
    is_offered = is_open = is_broken = False
    made = []
    for verb in verbs:
        word = verb.split()[0]
        if word in ("EHLO", "HELO") and verb[4:].strip().isalpha():
            is_offered = is_offered if is_open else word == "EHLO"
        elif word == "BDAT":
            if not is_offered or is_broken:
                continue
            is_open = "LAST" not in verb
        elif is_open and word in ("DATA", "QUIT", "NOOP"):
            made.append("RSET")
            is_open = is_broken = False
        elif word == "RSET":
            is_open = is_broken = False
        elif is_open:
            is_broken = True
        made.append(verb)
    return made


def _alone(verb: str) -> str:
    """One command and its reply."""
    match verb.split()[0]:
        case "DATA":
            return f"{verb}\n!message\n"
        case "BDAT":
            return f"={_escaped(verb)}\n?\n"
        case "AUTH" if verb == "AUTH PLAIN":
            return f"{verb}\n!cancel\n"
        case _:
            return f"{verb}\n"


def _together(verbs: list[str]) -> str:
    """The first command alone, then all others at once; what a message is, if it comes to that, behind them."""
    first, *rest = verbs
    return f"{_alone(first)}={''.join(map(_escaped, rest))}\n"


def _escaped(verb: str) -> str:
    text = verb if verb.endswith("\r\n") else f"{verb}\r\n"
    return text.replace("\r", "\\r").replace("\n", "\\n")


def hold(batch: Batch, program: Program, directory: Path) -> Seen:
    place = Place(directory, batch.configuration, files())
    daemon = Daemon(program, place, next(free_ports()))
    try:
        replies = [f"== {name}\n{daemon.talk(script)}" for name, script in batch.scripts]
    finally:
        daemon.stop()
    seen = place.see("\n".join(replies))
    return seen._replace(main=sorted(seen.main), reject=sorted(seen.reject))  # several workers write them
