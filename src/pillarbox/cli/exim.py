"""`exim` (and `sendmail`, `mailq`, `runq`, `rmail`, `rsmtp`): Exim's command line, as scripts use it (Exim chapter 5).

`options` reads the arguments, each mode is a function in `modes`; here they meet. What does not exist is refused in Exim's words and with its
exit code, 1.
"""

from __future__ import annotations

import os
import sys

from pillarbox.cli.arguments import Arguments, Unreadable, Usage
from pillarbox.cli.options import parse
from pillarbox.cli.quick import delay_imports
from pillarbox.cli.standing import give_up_borrowed_root
from pillarbox.cli.streams import carry_bytes

__all__ = ["Arguments", "Unreadable", "Usage", "main", "parse", "run"]
BRIEF = """\
Exim is a Mail Transfer Agent. It is normally called by Mail User Agents,
not directly from a shell command line. Options and/or arguments control
what it does when called. For a list of options, see the Exim documentation.
"""
"""Scripts compare it."""
HELP = f"""\
{BRIEF}
Pillarbox stands in Exim's place here. Its options, as Exim has them:

Submitting:      -bm  a message on standard input, the default when there are recipients    -bs  SMTP    -bS  batched SMTP
                 -t  recipients from the headers   -i  a dot does not end the message       -f SENDER    -F NAME
                 -odb -odi -odf  deliver in the background, in the foreground    -odq -odqs  queue only, queue for SMTP
                 -oMa -oMaa -oMai -oMas -oMi -oMm -oMr -oMs -oMt  where it came from (trusted users)   -p PROTOCOL:HOST
                 -oDSN N=… -oDSN R=… -oDSN V=…  status notifications
                 -oee -oem -oep -oeq -oew  how to report errors    -bnq  do not qualify    -G  no fix-ups    -N  do not transport
Daemon:          -bd  in the background   -bdf  in the foreground   -q30m  queue run interval   -oX PORTS   -oP FILE   -oPX
                 -bw[TIME]  on the socket that inetd listens on       -tls-on-connect
The queue:       -bp  list (mailq)   -bpa -bpi -bpr -bpra -bpri -bpru -bpu  orders and forms   -bpc  count
                 -q -qq -qi -qf -qff -ql -qG<name>[/<time>] [FIRST [LAST]]  run
                 -R[r|f|ff] TEXT  -S[r|f|ff] TEXT  only matching recipients, senders
Messages:        -M -Mc ID ...  deliver now, when due       -Mf -Mt ID ...  freeze, thaw     -Mrm ID ...  remove
                 -Mg ID ...  give up (bounce)               -Mmad ID ...  mark all delivered -MG QUEUE ID ...  move
                 -Mmd ID ADDRESS ...  mark delivered        -Mar ID ADDRESS ...  add recipients
                 -Mes ID ADDRESS  edit the sender           -Mvh -Mvb -Mvc -Mvl ID  show     -Mset ID -be  expand with it
Asking:          -bV  version   -bt -bv -bvs ADDRESS ...  route, verify   -bP [OPTION ...]  print the configuration
                 -be STRING ...  expand   -bem FILE  with a message   -brt -brw  retry and rewrite rules
                 -bf -bF FILE  filters, with -bfd -bfl -bfp -bfs     -bh -bhc ADDRESS  an SMTP session as if from there
                 -bI:help  more
Any:             -C FILE  another configuration   -DNAME=TEXT  set a macro   -d[SELECTORS]  explain   -v  tell what happens
                 -L NAME  log to syslog under that name
"""


def main() -> None:
    sys.exit(run(sys.argv[1:], "exim"))


def run(arguments: list[str], program: str) -> int:
    """The exit code."""
    carry_bytes()
    try:
        read = parse(arguments, program)
    except Usage as error:
        print(f"exim: {error}", file=sys.stderr)
        return 1
    if read.mode == "usage":
        return _usage(arguments)
    give_up_borrowed_root(read)
    if read.mode in _QUESTIONS:
        delay_imports()
    from pillarbox.cli import modes

    if read.mode not in modes.MODES:
        print(f"exim: option {read.mode_option}: not supported yet", file=sys.stderr)
        return 1
    try:
        return modes.MODES[read.mode](read)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _usage(arguments: list[str]) -> int:
    """Exim's exit code is 1 even when it was asked for help; scripts know."""
    is_asked = "--help" in arguments or "-?" in arguments
    print(HELP if is_asked else BRIEF, end="", file=sys.stdout if is_asked else sys.stderr)
    return 1


_QUESTIONS = ("expand", "print_config", "version", "count", "list")
