"""Every verb with every outcome of a condition, text for the client, text for the log, and place: some thousand small ACLs, each asked
once, hundreds of them in one session.

An ACL is one statement, and behind it `accept` or nothing. The command that runs it says its name, which a lookup makes fit to be one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product

from tests.oracle.flow.acl_dialogue import Scenario

VERBS = ("accept", "defer", "deny", "discard", "require", "warn", "drop")
OUTCOMES: Mapping[str, str] = {
    "holds": "condition = yes",
    "fails": "condition = no",
    "called_accepts": "acl = accepts",
    "called_denies": "acl = denies",
    "called_denies_silently": "acl = denies_silently",
    "called_defers": "acl = defers",
    "called_discards": "acl = discards",
    "is_nonsense": "condition = perhaps",
    "cannot_be_expanded": "condition = ${lookup{x}lsearch{/not/there}}",
    "is_forced_to_fail": "condition = ${if eq{1}{2}{a}fail}",
    "negated": "! acl = accepts",
    "cannot_be_verified": "verify = sender=x@nowhere.invalid",
    "cannot_be_asked": "ratelimit = nonsense",
}
TEXTS: Mapping[str, str] = {
    "none": "",
    "plain": "said <$acl_verify_message>",
    "coded": "550 5.1.1 coded",
    "code_only": "553 coded",
    "temporary": "450 4.2.1 later",
    "good": "250 2.1.0 fine",
    "lines": "one\\ntwo",
    "empty": "$acl_m_nothing",
    "forced": "${if eq{1}{2}{a}fail}",
    "broken": "${lookup{x}lsearch{/not/there}}",
}
LOG_TEXTS = ("none", "plain", "lines", "empty", "forced", "broken")
ORDERS = ("texts first", "condition first")
CALLED = """\
accepts:
  accept message = called says yes
denies:
  deny message = called says no
       log_message = called logs no
denies_silently:
  deny
defers:
  defer message = called says later
        log_message = called logs later
discards:
  discard message = called throws it away
          log_message = called logs throwing it away
"""
QUIET = (
    "smtp_max_unknown_commands = 100000\nsmtp_max_synprot_errors = 100000\nsmtp_accept_max_nonmail = 100000\n"
)
PLACES: Mapping[str, tuple[str, str, str]] = {
    "rcpt": (
        "acl_smtp_rcpt = ${NAMED $local_part}",
        "MAIL FROM:<s@x.test>\n",
        "RCPT TO:<{name}@example.com>\n",
    ),
    "mail": ("acl_smtp_mail = ${NAMED $sender_address_local_part}", "", "MAIL FROM:<{name}@x.test>\nRSET\n"),
    "helo": ("acl_smtp_helo = ${NAMED $sender_helo_name}", "", "HELO {name}\n"),
    "vrfy": (
        "acl_smtp_vrfy = ${NAMED ${local_part:$smtp_command_argument}}",
        "",
        "VRFY {name}@example.com\n",
    ),
    "etrn": (
        "smtp_etrn_command = /bin/true\nsmtp_etrn_serialize = false\n"
        "acl_smtp_etrn = ${NAMED ${substr_1:$smtp_command_argument}}",
        "",
        "ETRN #{name}\n",
    ),
    "predata": (
        "acl_smtp_predata = ${NAMED $sender_address_local_part}\nacl_smtp_rcpt = accepts_all",
        "",
        "MAIL FROM:<{name}@x.test>\nRCPT TO:<a@example.com>\nDATA\n.\nRSET\n",
    ),
    "data": (
        "acl_smtp_data = ${NAMED $sender_address_local_part}\nacl_smtp_rcpt = accepts_all",
        "",
        "MAIL FROM:<{name}@x.test>\nRCPT TO:<a@example.com>\nDATA\nSubject: x\n\nx\n.\n",
    ),
    "expn": (
        "acl_smtp_expn = ${NAMED ${local_part:$smtp_command_argument}}",
        "",
        "EXPN {name}@example.com\n",
    ),
}
"""Place → (main options, what is said first, what is said for each ACL). `${NAMED text}`: looked up in the file of names."""
ALONE: Mapping[str, tuple[str, str, str]] = {
    "connect": ("acl_smtp_connect = c", "", ""),
    "quit": ("acl_smtp_quit = c", "", ""),
    "notquit": ("acl_smtp_notquit = c", "", "MAIL FROM:<a@b>\n"),
    "mime": (
        "acl_smtp_mime = c\nacl_smtp_rcpt = accepts_all",
        "",
        "MAIL FROM:<a@x.test>\nRCPT TO:<a@example.com>\nDATA\nMIME-Version: 1.0\n\nx\n.\n",
    ),
    "auth": (
        "acl_smtp_auth = c\nauth_advertise_hosts = *",
        "",
        "EHLO client\nAUTH PLAIN AGEAYg==\nMAIL FROM:<a@x.test>\n",
    ),
    "mailauth": (
        "acl_smtp_mailauth = c\nauth_advertise_hosts = *",
        "",
        "EHLO client\nMAIL FROM:<a@x.test> AUTH=me@x.test\n",
    ),
    "not_smtp": ("acl_not_smtp = c", "", "Subject: x\n\nx\n"),
    "not_smtp_start": ("acl_not_smtp_start = c", "", "Subject: x\n\nx\n"),
}
"""Places where a session asks once."""
LOGIN = """\
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = yes
  server_prompts = :
  server_advertise_condition = yes
"""
CONTROLS = (
    "allow_auth_unadvertised",
    "caseful_local_part",
    "caselower_local_part",
    "cutthrough_delivery",
    "debug/opts=+acl",
    "dkim_disable_verify",
    "dscp/ef",
    "dscp/nonsense",
    "enforce_sync",
    "fakedefer/later",
    "fakereject",
    "freeze",
    "freeze/no_tell",
    "freeze/nonsense",
    "no_callout_flush",
    "no_delay_flush",
    "no_enforce_sync",
    "no_mbox_unspool",
    "no_multiline_responses",
    "no_pipelining",
    "queue",
    "queue_only",
    "queue/first_pass_route",
    "submission",
    "submission/nonsense",
    "submission/domain=",
    "suppress_local_fixups",
    "suppress_local_fixups/x",
    "utf8_downconvert",
    "utf8_downconvert/1",
    "utf8_downconvert/x",
    "wellknown//dev/null",
)
MODIFIERS = (
    "add_header = X-Y: z",
    "remove_header = X-Y",
    "delay = 0s",
    "delay = nonsense",
    "queue = other",
    "logwrite = :main,panic: said",
    "log_reject_target =",
    "set acl_m_x = 1",
    "set acl_c_x = 1",
    "continue = 1",
    "udpsend = 127.0.0.1:9:x",
    "udpsend = nonsense",
)
CONDITIONS = (
    "authenticated = *",
    "decode = /tmp/x/",
    "dnslists = bl.test",
    "domains = example.com",
    "encrypted = *",
    "hosts = 192.0.2.1",
    "local_parts = a : c*",
    "malware = *",
    "mime_regex = x",
    "ratelimit = 1000 / 1h / per_conn / k",
    "ratelimit = 1000 / 1h / per_mail / k",
    "ratelimit = 1000 / 1h / per_rcpt / k",
    "ratelimit = 1000 / 1h / per_addr / k",
    "ratelimit = 1000 / 1h / per_byte / k",
    "recipients = a@example.com",
    "regex = x",
    "seen = 5m",
    "sender_domains = x.test",
    "senders = *@x.test",
    "spam = nobody",
    "verify = sender",
    "verify = recipient",
    "verify = header_syntax",
    "verify = header_sender",
    "verify = header_names_ascii",
    "verify = not_blind",
    "verify = certificate",
    "verify = helo",
    "verify = reverse_host_lookup",
    "verify = csa",
)
_NAMED = re.compile(r"\$\{NAMED (.*)\}$", re.MULTILINE)


def matrix(place: str, step: int = 1, at_once: int = 400) -> Iterator[Scenario]:
    """Sessions that ask every `step`th ACL at this place."""
    cases = list(islice(_statements(), 0, None, step))
    for start in range(0, len(cases), at_once):
        yield _session(place, cases[start : start + at_once], f"{place} {start}")


def _statements() -> Iterator[str]:
    for (verb, outcome), order, message, log in product(product(VERBS, OUTCOMES), ORDERS, TEXTS, LOG_TEXTS):
        if verb == "drop" and outcome in ("holds", "called_accepts", "is_forced_to_fail"):
            continue  # the end of the session: `ending` has these
        if verb in ("discard", "warn") and "lines" in (message, log):
            continue  # a line end stays what it is in Exim's log
        if order == "condition first" and outcome not in ("holds", "fails", "called_denies"):
            continue
        for end in ("", "  accept\n"):
            yield _statement(verb, OUTCOMES[outcome], message, log, order) + end
    for verb, outcome, message, is_behind in product(("accept", "discard"), OUTCOMES, TEXTS, (True, False)):
        lines = [OUTCOMES[outcome], "endpass"]
        lines = lines if is_behind else lines[::-1]
        text = f"  message = {TEXTS[message]}\n" if message != "none" else ""
        yield f"  {verb} {lines[0]}\n  {lines[1]}\n{text}"
        yield f"  {verb} {lines[0]}\n{text}  {lines[1]}\n  accept\n"


def everything(place: str) -> Iterator[Scenario]:
    """Every condition, modifier and control there."""
    lines = [*(f"control = {control}" for control in CONTROLS), *MODIFIERS, *CONDITIONS]
    cases = [f"  warn {line}\n       logwrite = behind it\n  accept\n" for line in lines]
    if place in PLACES:
        yield _session(place, cases, f"{place} everything")
        return
    for line, acl in zip(lines, cases, strict=True):
        if line.startswith("seen") and place.startswith("not_smtp"):
            continue  # the real one's end: a segmentation fault
        options, _, said = ALONE[place]
        config = f"{QUIET}{options}\nbegin acl\naccepts_all:\n  accept\nc:\n{acl}"
        config += LOGIN if place in ("auth", "mailauth") else ""
        name = f"{place} {line.replace('/', ' ')}"
        if place.startswith("not_smtp"):
            yield Scenario(
                name, ["-bm", "-oep", "-f", "s@x.test", "-local", "a@example.com"], config, said, "matrix"
            )
        else:
            end = "" if place == "notquit" else "QUIT\n"
            yield Scenario(name, [], config, f"HELO client\n{said}{end}", "matrix")


def _statement(verb: str, condition: str, message: str, log: str, order: str) -> str:
    texts = [f"message = {TEXTS[message]}"] if message != "none" else []
    texts += [f"log_message = logged {TEXTS[log]}" if log == "plain" else f"log_message = {TEXTS[log]}"] * (
        log != "none"
    )
    lines = [*texts, condition] if order == "texts first" else [condition, *texts]
    return f"  {verb} {lines[0]}\n" + "".join(f"    {line}\n" for line in lines[1:])


def _session(place: str, cases: Sequence[str], title: str) -> Scenario:
    options, first, each = _place(place)
    names = [f"c{number}" for number in range(len(cases))]
    acls = "".join(f"{name}:\n{text}" for name, text in zip(names, cases, strict=True))
    config = f"{QUIET}{options}\nbegin acl\naccepts_all:\n  accept\n{CALLED}{acls}"
    said = "".join(each.format(name=name) for name in names)
    return Scenario(title, [], config, f"HELO client\n{first}{said}QUIT\n", "matrix")


def _place(place: str) -> tuple[str, str, str]:
    options, first, each = PLACES[place]
    return _NAMED.sub(r"${lookup{\1}lsearch{{dir}/names}}", options), first, each


def endings(place: str) -> Iterator[Scenario]:
    """Sessions that `drop` ends."""
    options, first, each = _place(place)
    for outcome, message in product(("holds", "called_accepts", "is_forced_to_fail"), TEXTS):
        acl = f"c:\n{_statement('drop', OUTCOMES[outcome], message, 'none', 'texts first')}"
        config = f"{QUIET}{options}\nbegin acl\naccepts_all:\n  accept\n{CALLED}{acl}"
        said = f"HELO client\n{first}{each.format(name='c')}NOOP\nQUIT\n"
        yield Scenario(f"{place} drop {outcome} {message}", [], config, said, "matrix")
