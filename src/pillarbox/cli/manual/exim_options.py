"""Exim's options in words: `exim --help` prints them, exim(8) has them at length (Exim 5.3).

A test sees that every option that `cli.options` reads is here.
"""

from __future__ import annotations

from collections.abc import Iterator

from pillarbox.cli.manual.roff import Item, Section


def _section(title: str, *pairs: tuple[str, str]) -> Section:
    return Section(title, (), tuple(Item(term, text) for term, text in pairs))


SUBMITTING = _section(
    "Submitting messages",
    (
        "-bm",
        "Take a message from standard input for the recipients that are named; this is so without an option, too.",
    ),
    (
        "-bs",
        "Hold an SMTP session on standard input and output; on a socket, as inetd starts it, with the host at its other end.",
    ),
    ("-bS", "Take batched SMTP from standard input: no replies, the first error ends it."),
    (
        "-t",
        "Take the recipients from To:, Cc: and Bcc:, and remove Bcc:. What arguments do is said by `extract_addresses_remove_arguments`.",
    ),
    ("-ti", "`-t -i`."),
    ("-i, -oi, -oitrue", "A line with a dot alone does not end the message."),
    (
        "-f ADDRESS, -r ADDRESS",
        "The envelope's sender, for trusted callers and those of `untrusted_set_sender`; `<>` is the null sender.",
    ),
    ("-F NAME", "The sender's full name, for From: and Sender: where they are made."),
    ("-bnq", "Leave addresses without a domain as they are."),
    ("-G", "The message has been looked after elsewhere: no header lines are mended (trusted callers)."),
    ("-N", "Take the message and route it, but let no transport run; `-v` with it."),
    ("-odb", "Deliver in the background; the usual."),
    ("-odi, -odf", "Deliver before the command ends."),
    ("-odq", "Queue only; the next queue run delivers."),
    ("-odqs", "Deliver what stays here, queue what goes to other hosts by SMTP."),
    (
        "-oee, -oem, -oep, -oeq, -oew",
        "How errors in the message are told: by mail with exit code 0, by mail with exit code 1, printed, "
        "printed, by mail.",
    ),
    ("-e LETTER", "`-oe` with that letter."),
    ("-oDSN N=LIST", "Notifications of `success`, `failure`, `delay`, or `never` (RFC 3461)."),
    ("-oDSN R=WHAT", "`full` or `hdrs`: what of the message notifications bring back."),
    ("-oDSN V=ID", "The envelope's id in notifications."),
    (
        "-oB N, -h N, -m, -om, -oo, -n",
        "Accepted for Sendmail's sake; nothing comes of them, but for `-n` with `-bP`.",
    ),
    (
        "-Ac, -Am, -B TYPE, -O OPTION, -oY, -U, -x, -X FILE",
        "Accepted for Sendmail's sake; nothing comes of them.",
    ),
)
ORIGIN = _section(
    "Where a message comes from (trusted callers)",
    ("-oMa ADDRESS", "The address of the host, perhaps with `.port` behind it."),
    ("-oMs NAME", "The name of that host."),
    ("-oMt NAME", "The user that sends it there (RFC 1413)."),
    ("-oMi ADDRESS", "Our own address, perhaps with a port."),
    ("-oMr PROTOCOL", "The protocol by which it came."),
    ("-oMaa NAME", "The authenticator that let the sender in."),
    ("-oMai ID", "Who logged in."),
    ("-oMas ADDRESS", "What AUTH= of MAIL said."),
    ("-oMm ID", "The message that this one is about."),
    ("-EID", "The same, as Exim calls itself for bounces."),
    ("-p PROTOCOL[:HOST]", "`-oMr PROTOCOL` and `-oMs HOST`; `-pd` and `-ps`, about Perl, are passed over."),
    ("-or TIME", "The time-out for what comes by standard input, but for SMTP."),
    ("-os TIME", "The time-out for SMTP by standard input."),
)
DAEMON = _section(
    "The daemon",
    ("-bd", "Listen for SMTP in the background."),
    ("-bdf", "The same in the foreground."),
    (
        "-bw[TIME]",
        "Serve on the socket of inetd that is standard input, and end when nobody came for that time.",
    ),
    ("-qTIME", "Run the queue that often, beside `-bd` or alone: `-q30m`."),
    ("-qGNAME/TIME", "The same for a named queue; may be repeated."),
    ("-oX LIST", "Ports and addresses to listen on, in place of `daemon_smtp_ports` and `local_interfaces`."),
    ("-oP FILE", "The process id goes there, in place of `pid_file_path`."),
    ("-oPX", "Remove that file: what an ending daemon without privilege calls."),
    ("-tls-on-connect", "Every SMTP port speaks TLS from the start."),
)
QUEUE = _section(
    "The queue",
    ("-bp [ID ...]", "List what waits, the oldest first; `mailq` is the same."),
    (
        "-bpa, -bpu, -bpi",
        "List with addresses that were generated, without recipients that are done, ids only.",
    ),
    ("-bpr, -bpra, -bpru, -bpri", "The same in any order, which is quicker."),
    ("-bpc", "Count them."),
    ("-q [FIRST [LAST]]", "Run the queue once: from one id to another."),
    ("-qq", "Route all messages first, then deliver, so that those for one host go together."),
    ("-qi", "Only messages that have not been tried."),
    ("-qf, -qff", "Whatever the retry times say; frozen ones, too."),
    ("-ql", "Local deliveries only."),
    (
        "-qGNAME",
        "The named queue; also in front of what is done to messages. The letters stand in the order q, i, f, ff, l, G.",
    ),
    (
        "-R[r][f|ff] TEXT",
        "Only messages with a recipient not yet delivered whose address holds the text; `r`: that matches it.",
    ),
    ("-S[r][f|ff] TEXT", "The same by the sender. `-qR` and `-qS` are these, too."),
)
MESSAGES = _section(
    "Messages that wait",
    ("-M ID ...", "Deliver now, whatever the retry times say, frozen ones too."),
    ("-Mc ID ...", "Deliver what is due."),
    ("-Mf ID ...", "Freeze: leave alone until thawed."),
    ("-Mt ID ...", "Thaw."),
    ("-Mg ID ...", "Give up: bounce."),
    ("-Mrm ID ...", "Remove without a bounce."),
    ("-Mmad ID ...", "Mark all recipients as delivered."),
    ("-Mmd ID ADDRESS ...", "Mark these as delivered."),
    ("-Mar ID ADDRESS ...", "Add recipients."),
    ("-Mes ID ADDRESS", "Another sender."),
    ("-MG QUEUE ID ...", "Move to the named queue; an empty name is the usual one."),
    ("-Mvh ID, -Mvb ID, -Mvl ID, -Mvc ID", "Show the -H file, the body, the log, the message as it would be sent."),
    ("-Mset ID", "With `-be`: expand with the variables of that message."),
)  # fmt: skip
ASKING = _section(
    "Asking",
    ("-bV, --version", "The version, and whether the configuration can be read."),
    ("-bt [ADDRESS ...]", "How addresses would be routed; from standard input when none is named. `-v`, `-d` tell which routers were tried."),
    ("-bv, -bvs [ADDRESS ...]", "Verify as a recipient, as a sender. Exit codes: 0 all good, 1 one deferred, 2 one failed."),
    ("-bP [NAME ...]", "Settings as they are: options, `router NAME`, `transports`, `authenticator_list`, `macro NAME`, `config` and so on; "
     "`-n` leaves out names."),
    ("-be [STRING ...]", "Expand strings, from standard input when none is given; `NAME = text` defines a macro, "
     "`set acl_m0 = text` a variable."),
    ("-bem FILE", "The same with a message of that file."),
    ("-bh ADDRESS", "An SMTP session as if from that address; nothing is written, nothing is sent."),
    ("-bhc ADDRESS", "The same, and callouts are made."),
    ("-bf FILE, -bF FILE", "Test a user's filter, a system filter, on the message of standard input."),
    ("-bfd DOMAIN, -bfl LOCAL-PART, -bfp PREFIX, -bfs SUFFIX", "The recipient for such a test."),
    ("-brt DOMAIN [DOMAIN] [ERROR]", "Which retry rule an address, a host and an error meet."),
    ("-brw ADDRESS", "How an address is rewritten, by header line."),
    ("-bi", "Run `bi_command`; `newaliases` is the same."),
    ("-oA FILE", "The aliases that `-bi` hands to it."),
    ("-bI:TOPIC", "Facts for scripts; `-bI:help` lists them."),
    ("-bmalware FILE", "Ask the scanner of `av_scanner` about a file; 0: nothing was found."),
    ("-atrn HOST DOMAINS", "Ask HOST for the mail it keeps for DOMAINS (divided by commas, may be empty), over one connection (RFC 2645)."),
)  # fmt: skip
ANY = _section(
    "With anything",
    ("-C FILE, --config FILE", "Another configuration; the rights of a set-uid wrapper are given up for it."),
    ("-DNAME=TEXT", "Define a macro; the configuration does not change it."),
    ("-v, -ov", "Tell on standard error what happens."),
    ("-d[SELECTORS]", "Tell more. Names of selectors are checked and select nothing."),
    ("-L NAME", "Log to syslog under that name."),
    ("-z TEXT", "Put a line into the main log."),
    ("-Tqt TIMES", "Ages of messages, with `EXIM_TEST_HARNESS=1` alone."),
    ("--data FOLDER", "The data folder whose `pillarbox.conf` is meant."),
    ("--help, -?", "This list."),
    ("--", "Ends the options."),
)
SECTIONS = (SUBMITTING, ORIGIN, DAEMON, QUEUE, MESSAGES, ASKING, ANY)
_LEFT = 26
_WIDTH = 118


def help_text() -> str:
    """What `exim --help` prints behind its first lines."""
    return "\n".join(line for section in SECTIONS for line in _shown(section)) + "\n"


def _shown(section: Section) -> Iterator[str]:
    import textwrap

    yield f"{section.title}:"
    for item in section.items:
        text = item.text.replace("`", "")
        lines = textwrap.wrap(text, _WIDTH - _LEFT - 2, break_long_words=False, break_on_hyphens=False)
        if len(item.term) > _LEFT - 2:
            yield f"  {item.term}"
        else:
            yield f"  {item.term:<{_LEFT}}{lines.pop(0)}"
        yield from (f"  {'':<{_LEFT}}{line}" for line in lines)
    yield ""
