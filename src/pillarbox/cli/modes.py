"""What `exim` does in each of its modes: mostly, ask the daemon.

With the daemon down, listing and showing read the queue's files, and changing them is done here under the same locks; a queue run is then done
by a worker of our own that ends with it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pillarbox.app.data_folder import find_configuration
from pillarbox.cli.arguments import Arguments
from pillarbox.cli.places import choose_configuration, fail, spool_directory
from pillarbox.cli.queue_options import regular_runs
from pillarbox.cli.sender_option import take_sender
from pillarbox.cli.standing import check_rights

if TYPE_CHECKING:
    from pillarbox.wire.control import Act, Run


def _config(read: Arguments) -> Path:
    """Ends the command when the caller may not do with it what they want."""
    config = (_first_of(read.config) if read.config else choose_configuration(None, read.data)).absolute()
    check_rights(config, read)
    take_sender(config, read)
    return config


def check_config(read: Arguments) -> None:
    """Ends the command when the caller may not say that."""
    _config(read)


def _asked_config(read: Arguments) -> Path:
    """For questions: as written."""
    config = _first_of(read.config) if read.config else choose_configuration(None, read.data)
    check_rights(config, read)
    take_sender(config, read)
    return config


def _first_of(names: str) -> Path:
    """The first that exists of the files that `-C` names. Ends the command when there is none, or that one is not for us."""
    opened = ((name, _why_unopened(name)) for name in names.split(":") if name)
    name, problem = next((each for each in opened if each[1] != errno.ENOENT), ("", 0))
    if problem or not name:
        from pillarbox.app.asking.loading import stamped

        ids = f"(euid={os.geteuid()} egid={os.getegid()})"
        unopened = f"failed to open configuration file {name}: {os.strerror(problem)} {ids}"
        fail(stamped(unopened if name else f"non-existent configuration file(s): {names}"))
    return Path(name)


def _why_unopened(name: str) -> int:
    """The number of the error; 0: it can be opened."""
    try:
        os.stat(name)
    except (FileNotFoundError, NotADirectoryError):
        return errno.ENOENT
    except OSError as error:
        return error.errno or errno.EIO
    return 0 if os.access(name, os.R_OK, effective_ids=True) else errno.EACCES


def _version(read: Arguments) -> int:
    from pillarbox.app.asking.version import print_version

    path: Path | None = None
    if read.config or read.data:
        path = _asked_config(read)
    else:
        with suppress(OSError):  # who may not look where it is hears the version all the same
            path = find_configuration()
    return print_version(path, read.macros)


def _submit(read: Arguments) -> int:
    from pillarbox.cli.submission import submit_message

    return submit_message(_config(read), read)


def _smtp(read: Arguments) -> int:
    from pillarbox.cli.submission import submit_smtp

    return submit_smtp(_config(read), read, is_batch=read.mode == "batch_smtp")


def _fetch(read: Arguments) -> int:
    from pillarbox.cli.submission import fetch_mail

    return fetch_mail(_config(read), read)


def _ask(read: Arguments, request: Act | Run) -> int:
    """Print what the daemon answers; without a daemon, and when somebody wants to see what happens, do it here."""
    from pillarbox.cli.control_client import DaemonAway, ask
    from pillarbox.cli.daemon_lock import runs_on_another
    from pillarbox.cli.submission import alone_options

    config = _config(read)
    spool = spool_directory(config)
    options = alone_options(read, is_other_configuration=runs_on_another(spool, config, read.macros))
    if not (options.needs_own_process and os.geteuid() == 0):
        try:
            code = 0
            for line in ask(spool, request):
                if line.text:
                    print(line.text, file=sys.stderr if line.is_error else sys.stdout, flush=True)
                code = line.code
            return code
        except DaemonAway:
            pass
    from pillarbox.app.alone import act_alone

    return act_alone(config, request, options)


def _act(action: str) -> Callable[[Arguments], int]:
    """Every word is a message."""

    def run(read: Arguments) -> int:
        from pillarbox.wire.control import Act

        _check_ids(read, read.words)
        return _ask(read, Act(action=action, ids=tuple(read.words)))

    return run


def _act_on_one(action: str) -> Callable[[Arguments], int]:
    """The first word is a message, the others are addresses."""

    def run(read: Arguments) -> int:
        from pillarbox.wire.control import Act

        _check_ids(read, read.words[:1])
        return _ask(read, Act(action=action, ids=(read.words[0],), addresses=tuple(read.words[1:])))

    return run


def _move(read: Arguments) -> int:
    """`-MG queue ids`."""
    from pillarbox.wire.control import Act

    _check_ids(read, read.words)
    return _ask(read, Act(action="move", ids=tuple(read.words), addresses=(read.destination_queue,)))


def _check_ids(read: Arguments, ids: Sequence[str], option: str = "") -> None:
    from pillarbox.wire.exim.message_id import is_message_id

    for message_id in ids:
        if not is_message_id(message_id):
            fail(f"exim: malformed message id {message_id} after {option or read.mode_option} option")


def _check_expression(text: str) -> None:
    """Ends the command when it is no regular expression."""
    from pillarbox.language.regex import RegexError, compile_regex

    try:
        compile_regex(text)
    except RegexError as error:
        from pillarbox.app.asking.loading import stamped

        why = str(error).removeprefix(f'regular expression error in "{text}": ')
        fail(stamped(f"regular expression error: {why} while compiling {text}"))


def _queue_run(read: Arguments) -> int:
    from pillarbox.wire.control import Run

    wish = read.queue
    for text in (
        wish.recipient if wish.is_regular_recipient else "",
        wish.sender if wish.is_regular_sender else "",
    ):
        _check_expression(text)
    return _ask(
        read,
        Run(
            force=wish.force,
            force_frozen=wish.force_frozen,
            first_only=wish.first_only,
            recipient=wish.recipient,
            is_regular_recipient=wish.is_regular_recipient,
            sender=wish.sender,
            is_regular_sender=wish.is_regular_sender,
            first_id=wish.first_id,
            last_id=wish.last_id,
            is_two_stage=wish.is_two_stage,
            local_only=wish.local_only,
            queue=wish.name,
        ),
    )


def _view(part: str) -> Callable[[Arguments], int]:
    def run(read: Arguments) -> int:
        from pillarbox.backends.spool.reading import QueueReader
        from pillarbox.cli.queue_listing import show

        config = _config(read)
        if len(read.words) != 1 and part != "copy":
            print("*** Only one message can be listed at once")
            return 1
        _check_ids(read, read.words[:1])
        spool = spool_directory(config) / read.queue.name
        code = show(spool, read.words[0], part)
        if code and part == "copy" and QueueReader(str(spool)).read_part(read.words[0], "body") is None:
            from pillarbox.cli.log_line import write_log

            write_log(config, read, f"{read.words[0]} Spool file {read.words[0]}-D not found")
        if code and part == "log" and not _keeps_message_logs(config):
            print("(No message logs are being created because the message_logs option is false.)")
        return code

    return run


def _keeps_message_logs(config: Path) -> bool:
    """Where the configuration cannot be loaded that is told, and nothing more is known."""
    from pillarbox.app.asking.loading import load_or_complain
    from pillarbox.flow.settings import Logging

    found = load_or_complain(config)
    return found is None or found.main(Logging).message_logs


def _list(read: Arguments) -> int:
    from pillarbox.cli.queue_listing import Form, print_queue

    return print_queue(
        spool_directory(_config(read)) / read.queue.name, tuple(read.words), Form.of(read.listing_order)
    )


def _count(read: Arguments) -> int:
    from pillarbox.cli.queue_listing import count

    print(count(spool_directory(_config(read)) / read.queue.name))
    return 0


def _daemon(read: Arguments) -> int:
    from pillarbox.cli.serve import DaemonWish, serve

    foreground = (
        read.mode in ("daemon_foreground", "waiting_daemon") or read.is_verbose or read.debug is not None
    )
    wish = DaemonWish(
        config=str(_config(read)),
        foreground=foreground,
        runs=regular_runs(read.queue),
        ports=read.listen_ports,
        pid_file=read.pid_file,
        is_deaf=read.mode == "queue_daemon",
        macros=read.macros,
        is_quiet=True,
        is_tls_on_connect=read.is_tls_on_connect,
        syslog_name=read.syslog_name,
        is_queue_only=read.delivery == "q",
        is_local_only=read.delivery == "qs",
        is_inetd=read.mode == "waiting_daemon",
        idle_end=read.idle_end,
    )
    return serve(wish)


def _remove_pid_file(read: Arguments) -> int:
    """`-oPX`: of the process that asks, if the file is its own."""
    from pillarbox.app.configuration import load_config
    from pillarbox.cli.announcing import pid_file_of, remove_pid_file

    remove_pid_file(pid_file_of(load_config(_config(read)), read.pid_file, is_usual=True), of=os.getppid())
    return 0


def _route(read: Arguments) -> int:
    from pillarbox.app.asking.routing import Question, test_addresses

    question = Question("test", read.sender or "", shows_routers=read.debug is not None)
    return test_addresses(_asked_config(read), tuple(read.words), read.macros, question)


def _verify(read: Arguments) -> int:
    from pillarbox.app.asking.routing import verify_addresses

    are_senders = read.mode == "verify_sender"
    return verify_addresses(
        _asked_config(read),
        tuple(read.words),
        read.macros,
        are_senders=are_senders,
        is_verbose=read.is_verbose,
        shows_routers=read.debug is not None,
    )


def _host_test(read: Arguments) -> int:
    from pillarbox.app.asking.host_testing import test_host

    makes_callouts = read.mode == "host_test_callouts"
    return test_host(
        _asked_config(read), read.host_test, read.macros, read.about, makes_callouts=makes_callouts
    )


def _print_config(read: Arguments) -> int:
    from pillarbox.app.asking.printing import print_configuration

    return print_configuration(
        _asked_config(read), read.words, macros=read.macros, with_names=not read.without_names
    )


def _expand(read: Arguments) -> int:
    from pillarbox.app.asking.expanding import expand_strings

    if read.extract and read.message is None:
        fail("exim: incompatible command-line options or arguments", 1)
    if read.loaded_id is not None:
        _check_ids(read, [read.loaded_id], "-Mset")
    return expand_strings(
        _asked_config(read),
        read.words,
        macros=read.macros,
        message=read.message,
        sender=read.sender,
        queued=read.loaded_id,
        extracts=read.extract,
        about=read.about,
    )


def _filter(read: Arguments) -> int:
    from pillarbox.app.filtering import Wanted, run_filters

    if read.words:
        fail("exim: incompatible command-line options or arguments", 1)
    of = read.filter_recipient
    wanted = Wanted(
        system_file=read.system_filter,
        user_file=read.user_filter,
        sender=read.sender,
        domain=of.get("d"),
        local_part=of.get("l"),
        prefix=of.get("p", ""),
        suffix=of.get("s", ""),
        is_verbose=read.is_verbose,
    )
    return run_filters(_asked_config(read), wanted, macros=read.macros)


def _retry(read: Arguments) -> int:
    from pillarbox.app.rules import show_retry_rule

    return show_retry_rule(_asked_config(read), read.words, sender=read.sender, macros=read.macros)


def _rewrite(read: Arguments) -> int:
    from pillarbox.app.rules import show_rewritten

    return show_rewritten(_asked_config(read), read.words, macros=read.macros)


def _newaliases(read: Arguments) -> int:
    from pillarbox.cli.newaliases import run_bi_command

    return run_bi_command(_config(read), read.alias_file, read.macros)


def _log_line(read: Arguments) -> int:
    """`-z`: administrators only, as `check_rights` says."""
    from pillarbox.cli.log_line import write_log

    return write_log(_config(read), read, read.log_line or "")


def _malware(read: Arguments) -> int:
    from pillarbox.app.asking.malware import scan_file
    from pillarbox.cli.submission import alone_options

    return scan_file(_config(read), read.scanned_file, alone_options(read))


def _inquire(read: Arguments) -> int:
    from pillarbox.cli.inquiries import inquire

    return inquire(read.topic)


MODES: dict[str, Callable[[Arguments], int]] = {
    "version": _version,
    "submit": _submit,
    "daemon": _daemon,
    "daemon_foreground": _daemon,
    "queue_daemon": _daemon,
    "waiting_daemon": _daemon,
    "remove_pid_file": _remove_pid_file,
    "list": _list,
    "count": _count,
    "smtp": _smtp,
    "batch_smtp": _smtp,
    "on_demand": _fetch,
    "inquire": _inquire,
    "log_line": _log_line,
    "malware": _malware,
    "route": _route,
    "verify": _verify,
    "verify_sender": _verify,
    "host_test": _host_test,
    "host_test_callouts": _host_test,
    "print_config": _print_config,
    "expand": _expand,
    "newaliases": _newaliases,
    "filter": _filter,
    "retry": _retry,
    "rewrite": _rewrite,
    "queue_run": _queue_run,
    "deliver": _act("deliver"),
    "deliver_due": _act("deliver_due"),
    "freeze": _act("freeze"),
    "thaw": _act("thaw"),
    "remove": _act("remove"),
    "move": _move,
    "give_up": _act("give_up"),
    "mark_all_delivered": _act("mark_all_delivered"),
    "mark_delivered": _act_on_one("mark_delivered"),
    "add_recipient": _act_on_one("add_recipient"),
    "edit_sender": _act_on_one("edit_sender"),
    "view_headers": _view("headers"),
    "view_body": _view("body"),
    "view_copy": _view("copy"),
    "view_log": _view("log"),
}
