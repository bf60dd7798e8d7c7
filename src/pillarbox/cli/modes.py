"""What `exim` does in each of its modes: mostly, ask the daemon.

With the daemon down, listing and showing read the queue's files, and changing them is done here under the same locks; a queue run is then done
by a worker of our own that ends with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pillarbox.app.data_folder import find_configuration
from pillarbox.cli.exim import HELP, Arguments
from pillarbox.cli.places import EX_USAGE, choose_configuration, fail, spool_directory

if TYPE_CHECKING:
    from pillarbox.wire.control import Request


def _config(read: Arguments) -> Path:
    return choose_configuration(read.config, read.data)


def _help(read: Arguments) -> int:
    print(HELP.format(program=read.program), end="")
    return 0


def _asked_config(read: Arguments) -> Path:
    """For questions: the first that exists of the files that `-C` names, as written."""
    if not read.config:
        return _config(read)
    found = next((name for name in read.config.split(":") if name and Path(name).exists()), None)
    if found is None:
        from pillarbox.app.asking.loading import stamped

        fail(stamped(f"non-existent configuration file(s): {read.config}"))
    return Path(found)


def _version(read: Arguments) -> int:
    from pillarbox.app.asking.version import print_version

    path = _asked_config(read) if read.config or read.data else find_configuration()
    return print_version(path, read.macros)


def _submit(read: Arguments) -> int:
    from pillarbox.cli.submission import login_name, read_message, submit
    from pillarbox.wire.control import Submit

    if not read.words and not read.extract:
        print(HELP.format(program=read.program), end="", file=sys.stderr)
        return EX_USAGE
    data = read_message(sys.stdin.buffer, dot_ends=read.dot_ends)
    recipients = tuple(part for word in read.words for part in word.replace(",", " ").split())
    wish = Submit(
        recipients=recipients,
        sender=read.sender,
        extract_recipients=read.extract,
        full_name=read.full_name,
        queue_only=read.queue_only,
        size=len(data),
        login=login_name(),
    )
    return submit(spool_directory(_config(read)), wish, data)


def _ask(read: Arguments, request: Request) -> int:
    """Print what the daemon answers; without a daemon, do it here."""
    from pillarbox.cli.control_client import DaemonAway, ask

    config = _config(read)
    try:
        code = 0
        for line in ask(spool_directory(config), request):
            if line.text:
                print(line.text, file=sys.stderr if line.is_error else sys.stdout, flush=True)
            code = line.code
        return code
    except DaemonAway:
        from pillarbox.app.alone import act_alone

        return act_alone(config, request)


def _act(action: str) -> Callable[[Arguments], int]:
    def run(read: Arguments) -> int:
        from pillarbox.wire.control import Act

        if not read.words:
            fail(f"{read.program}: this option needs one or more message ids", EX_USAGE)
        return _ask(read, Act(action=action, ids=tuple(read.words)))

    return run


def _act_on_one(action: str) -> Callable[[Arguments], int]:
    def run(read: Arguments) -> int:
        from pillarbox.wire.control import Act

        if len(read.words) < 2:
            fail(f"{read.program}: this option needs a message id and one or more addresses", EX_USAGE)
        return _ask(read, Act(action=action, ids=(read.words[0],), addresses=tuple(read.words[1:])))

    return run


def _queue_run(read: Arguments) -> int:
    from pillarbox.wire.control import Run

    flags = read.queue_flags or ""
    words = read.words
    return _ask(
        read,
        Run(
            force="f" in flags,
            force_frozen="ff" in flags,
            first_only="i" in flags,
            recipient=read.match_recipient,
            sender=read.match_sender,
            first_id=words[0] if words else "",
            last_id=words[1] if len(words) > 1 else "",
        ),
    )


def _view(part: str) -> Callable[[Arguments], int]:
    def run(read: Arguments) -> int:
        from pillarbox.cli.queue_listing import show

        if len(read.words) != 1:
            fail(f"{read.program}: this option needs one message id", EX_USAGE)
        return show(spool_directory(_config(read)), read.words[0], part)

    return run


def _list(read: Arguments, *, undelivered_only: bool = False) -> int:
    from pillarbox.cli.queue_listing import print_queue

    return print_queue(spool_directory(_config(read)), tuple(read.words), undelivered_only=undelivered_only)


def _count(read: Arguments) -> int:
    from pillarbox.cli.queue_listing import count

    print(count(spool_directory(_config(read))))
    return 0


def _daemon(read: Arguments, *, foreground: bool = False) -> int:
    from pillarbox.cli.serve import serve

    return serve(config=str(_config(read)), foreground=foreground, queue_interval=read.queue_interval)


def _route(read: Arguments) -> int:
    from pillarbox.app.asking.routing import test_addresses

    return test_addresses(_asked_config(read), tuple(read.words), read.macros)


def _print_config(read: Arguments) -> int:
    from pillarbox.app.asking.printing import print_configuration

    return print_configuration(
        _asked_config(read), read.words, macros=read.macros, with_names=not read.without_names
    )


def _expand(read: Arguments) -> int:
    from pillarbox.app.asking.expanding import expand_strings

    return expand_strings(
        _asked_config(read), read.words, macros=read.macros, message=read.message, sender=read.sender
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
    from pillarbox.cli import newaliases

    newaliases.main()
    return 0


def _smtp(read: Arguments) -> int:
    from pillarbox.app.asking.relaying import smtp_on_standard_input

    return smtp_on_standard_input(_config(read))


MODES: dict[str, Callable[[Arguments], int]] = {
    "help": _help,
    "version": _version,
    "submit": _submit,
    "daemon": _daemon,
    "daemon_foreground": lambda read: _daemon(read, foreground=True),
    "list": _list,
    "list_undelivered": lambda read: _list(read, undelivered_only=True),
    "count": _count,
    "smtp": _smtp,
    "route": _route,
    "print_config": _print_config,
    "expand": _expand,
    "newaliases": _newaliases,
    "filter": _filter,
    "retry": _retry,
    "rewrite": _rewrite,
    "queue_run": _queue_run,
    "deliver": _act("deliver"),
    "freeze": _act("freeze"),
    "thaw": _act("thaw"),
    "remove": _act("remove"),
    "give_up": _act("give_up"),
    "mark_all_delivered": _act("mark_all_delivered"),
    "mark_delivered": _act_on_one("mark_delivered"),
    "add_recipient": _act_on_one("add_recipient"),
    "view_headers": _view("headers"),
    "view_body": _view("body"),
    "view_copy": _view("copy"),
    "view_log": _view("log"),
}
