"""Messages from standard input: `sendmail`, `exim` with recipients or `-t`, `rmail`, and SMTP by `-bs` and `-bS`.

Whoever may do the daemon's work does it here when there is no daemon, or when the caller wants to see or to wait for what happens. Everybody
else hands the message to the daemon, or leaves it for its next start.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
from pathlib import Path

from pillarbox.app.alone_options import AloneOptions
from pillarbox.cli.arguments import Arguments
from pillarbox.cli.control_client import DaemonAway, ask, converse, drop_offline
from pillarbox.cli.daemon_lock import runs_on_another
from pillarbox.cli.places import EX_TEMPFAIL, fail, spool_directory
from pillarbox.cli.standard_input import Abandoned, TooBig, read_input
from pillarbox.wire.control import Submit
from pillarbox.wire.line_ends import with_unix_ends

MAX_MESSAGE = 512 * 1024 * 1024


def submit_message(config: Path, read: Arguments) -> int:
    """The exit code."""
    data = _read_message(config, read)
    wish = _wish(read, len(data))
    spool = spool_directory(config)
    options = alone_options(read, is_other_configuration=runs_on_another(spool, config, read.macros))
    may = _may_work_alone(spool)
    if not (may and options.needs_own_process):
        code = _hand_over(spool, wish, data)
        if code is not None:
            return code
    if not may:
        if _is_mua_wrapper(config):  # no daemon will ever come for it
            fail("exim: with mua_wrapper only root and the mail user can send here", 1)
        return _leave(spool, wish, data)
    from pillarbox.app.alone import submit_alone

    return submit_alone(config, wish, data, options)


def submit_smtp(config: Path, read: Arguments, *, is_batch: bool) -> int:
    """`-bs`, `-bS`; the exit code."""
    options = alone_options(read)
    if _may_work_alone(spool_directory(config)):
        from pillarbox.app.alone import smtp_alone

        return smtp_alone(config, options, is_batch=is_batch)
    if is_batch:
        fail("exim: batched SMTP needs root or the mail user here", 1)
    try:
        return converse(spool_directory(config), read.about, suppresses_fixups=read.suppresses_fixups)
    except DaemonAway as away:
        print(f"421 4.3.2 the mail server is not running: {away}")
        return 69


def fetch_mail(config: Path, read: Arguments) -> int:
    """`-atrn`; the exit code."""
    if not _may_work_alone(spool_directory(config)):
        fail("exim: -atrn needs root or the mail user here", 1)
    from pillarbox.app.alone import atrn_alone

    host, domains = read.provider
    return atrn_alone(config, alone_options(read), host, domains)


def alone_options(read: Arguments, *, is_other_configuration: bool = False) -> AloneOptions:
    """`is_other_configuration`: than the daemon's."""
    return AloneOptions(
        macros=tuple(read.macros.items()),
        delivery=read.delivery,
        is_verbose=read.is_verbose or read.debug is not None,
        is_dry=read.is_dry,
        about=tuple(read.about.items()),
        reference=read.reference,
        suppresses_fixups=read.suppresses_fixups,
        keeps_unqualified=read.keeps_unqualified,
        has_own_configuration=is_other_configuration,
        ages=_ages(read.test_ages),
        queue=read.queue.name,
        syslog_name=read.syslog_name,
        is_tls_on_connect=read.is_tls_on_connect,
        smtp_receive_timeout=_seconds(read.smtp_receive_timeout),
    )


def _seconds(text: str) -> float:
    """`1m30s`; nothing is 0."""
    from pillarbox.config.kinds import parse_duration

    return parse_duration(text) if text else 0.0


def _ages(text: str) -> tuple[float, ...]:
    """`3h/1d` in seconds."""
    from pillarbox.config.errors import OptionError
    from pillarbox.config.kinds import parse_duration

    try:
        return tuple(parse_duration(age) for age in text.split("/") if age)
    except OptionError:
        fail(f"exim: bad time value {text}: abandoned")


def _wish(read: Arguments, size: int) -> Submit:
    recipients = tuple(part for word in read.words for part in _addresses(word))
    return Submit(
        recipients=recipients,
        sender=read.sender,
        extract_recipients=read.extract,
        full_name=read.full_name,
        reference=read.reference,
        tells_of_error=read.tells_of_error,
        queue_only=read.delivery == "q",
        queue_smtp=read.delivery == "qs",
        size=size,
        login=login_name(),
        errors=read.errors_to_stderr or "m",
        about=read.about,
        notify=read.notify,
        ret=read.ret,
        envid=read.envid,
        is_dry=read.is_dry,
        keeps_unqualified=read.keeps_unqualified,
        suppresses_fixups=read.suppresses_fixups,
    )


def _addresses(word: str) -> list[str]:
    """An argument may hold several, with commas between them (RFC 2822 style)."""
    from pillarbox.language.addresses import address_items

    return [item.text.strip() for item in address_items(word) if item.text.strip()]


def _may_work_alone(spool: Path) -> bool:
    """Root (also by a set-uid wrapper), the owner of the queue, and whoever can make one where there is none."""
    if os.geteuid() == 0:
        return True
    try:
        return spool.stat().st_uid == os.geteuid() and os.access(spool, os.W_OK)
    except FileNotFoundError:
        return os.access(spool.parent, os.W_OK)
    except OSError:
        return False


def _hand_over(spool: Path, wish: Submit, data: bytes) -> int | None:
    """To the daemon; None: there is none."""
    code = 0
    try:
        for line in ask(spool, wish, data):
            if line.text:
                print(line.text, file=sys.stderr if line.is_error else sys.stdout)
            code = line.code
    except DaemonAway:
        return None
    return code


def _is_mua_wrapper(config: Path) -> bool:
    if "mua_wrapper" not in config.read_text("utf-8", errors="replace"):
        return False
    from pillarbox.app.configuration import load_config
    from pillarbox.flow.settings import Identity

    return load_config(config, serving=False).main(Identity).mua_wrapper


def _leave(spool: Path, wish: Submit, data: bytes) -> int:
    try:
        drop_offline(spool, wish, data)
    except OSError as error:
        print(
            f"the mail server is not running, and the message cannot be kept for it: "
            f"{error.filename}: {error.strerror}",
            file=sys.stderr,
        )
        return EX_TEMPFAIL
    return 0


def _read_message(config: Path, read: Arguments) -> bytes:
    """Standard input, line ends made LF. Ends the command when it breaks off."""
    try:
        data = read_input(0, lambda: _patience(config, read), dot_ends=read.dot_ends, limit=MAX_MESSAGE)
    except TooBig:
        fail("exim: message is too big")
    except Abandoned as abandoned:
        _log_abandoned(config, read, abandoned)
        fail(str(abandoned))
    return message_of(data, dot_ends=read.dot_ends)


def _patience(config: Path, read: Arguments) -> float:
    """Seconds for the whole message: `-or`, or `receive_timeout`."""
    from pillarbox.app.configuration import load_config
    from pillarbox.config.errors import ConfigError
    from pillarbox.flow.settings import SmtpLimits

    if read.receive_timeout:
        return _seconds(read.receive_timeout)
    try:
        return load_config(config, read.macros, serving=False).main(SmtpLimits).receive_timeout
    except ConfigError:  # who takes the message says so
        return 0.0


def _log_abandoned(config: Path, read: Arguments, abandoned: Abandoned) -> None:
    """Where the caller may write the log."""
    from pillarbox.app.configuration import load_config
    from pillarbox.cli.announcing import log
    from pillarbox.config.errors import ConfigError
    from pillarbox.system.clock import SystemClock
    from pillarbox.wire.exim.message_id import MessageIds

    message_id = f"{MessageIds(SystemClock().now).new()} " if abandoned.has_header else ""
    with contextlib.suppress(ConfigError):
        log(load_config(config, read.macros, serving=False), f"{message_id}{abandoned.log}")


def message_of(data: bytes, *, dot_ends: bool) -> bytes:
    """To its end, or to a line with a single dot."""
    if b"\r" in data:
        data = with_unix_ends(data, dot_ends=dot_ends)
    elif dot_ends:
        if data.startswith(b".\n"):
            return b""
        end = data.find(b"\n.\n")
        if end >= 0:
            data = data[: end + 1]
    return data if not data or data.endswith(b"\n") else data + b"\n"


def login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"
