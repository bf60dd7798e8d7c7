"""`exim` (and `sendmail`, `mailq`, `runq`, `rmail`, `rsmtp`): Exim's command line, as scripts use it (Exim chapter 5).

`options` reads the arguments, each mode is a function in `modes`; here they meet. What does not exist is refused in Exim's words and with its
exit code, 1.
"""

from __future__ import annotations

import errno
import os
import signal
import sys

from pillarbox.cli.arguments import Arguments, Unreadable, Usage
from pillarbox.cli.beginning import begin
from pillarbox.cli.options import parse
from pillarbox.cli.quick import delay_imports, import_msgspec
from pillarbox.cli.standing import give_up_borrowed_root
from pillarbox.config.errors import ConfigError

__all__ = ["Arguments", "Unreadable", "Usage", "main", "parse", "run"]
BRIEF = """\
Exim is a Mail Transfer Agent. It is normally called by Mail User Agents,
not directly from a shell command line. Options and/or arguments control
what it does when called. For a list of options, see the Exim documentation.
"""
"""Scripts compare it."""
_SHORTAGES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE)
BRIEF_MAILQ = """\
mailq - list the contents of the mail queue

For a list of options, see the Exim documentation.
"""


def main() -> None:
    sys.exit(run(sys.argv[1:], "exim"))


def run(arguments: list[str], program: str) -> int:
    """The exit code."""
    begin()
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # an exiwhat of Exim's sends it to all that is called exim
    try:
        read = parse(arguments, program)
    except Usage as error:
        print(f"exim: {error}", file=sys.stderr)
        return 1
    if read.mode == "usage":
        return _usage(read, arguments)
    give_up_borrowed_root(read)
    if read.mode in _QUESTIONS:
        delay_imports()
    import_msgspec()
    from pillarbox.cli import modes

    if read.mode not in modes.MODES:
        print(f"exim: option {read.mode_option}: not supported yet", file=sys.stderr)
        return 1
    try:
        code = modes.MODES[read.mode](read)
        sys.stdout.flush()
        return code
    except ConfigError as error:
        from pillarbox.app.asking.loading import stamped

        print(stamped(error.problems[0].exim_form), file=sys.stderr)
        return 1
    except BrokenPipeError:
        _write_no_more()
        return 0
    except OSError as error:
        if error.errno not in _SHORTAGES:
            raise
        _write_no_more()
        print(f"exim: {error.filename or 'standard output'}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _write_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(read: Arguments, arguments: list[str]) -> int:
    """Exim's exit code is 1 even when it was asked for help; scripts know."""
    is_asked = "--help" in arguments
    if read.suppresses_fixups and os.getuid() != 0:
        from pillarbox.cli.modes import check_config

        check_config(read)
    print(BRIEF_MAILQ if read.program == "mailq" else BRIEF, end="", file=sys.stderr)
    if is_asked:
        from pillarbox.cli.manual.exim_options import help_text

        print(
            f"Pillarbox stands in Exim's place here. Its options, as Exim has them:\n\n{help_text()}", end=""
        )
    return 1


_QUESTIONS = ("expand", "print_config", "version", "count", "list")
