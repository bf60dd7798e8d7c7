"""What a mailbox transport asks of files, worked out when the configuration is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.language.match.items import split
from pillarbox.ports.userfiles import FileRules, Locking

if TYPE_CHECKING:
    from pillarbox.flow.transport.appending.options import MailboxOptions


def does_count(options: MailboxOptions) -> bool:
    """Sizes are to be looked at."""
    asked = (
        options.quota,
        options.quota_filecount,
        options.quota_warn_threshold,
        options.mailbox_size,
        options.mailbox_filecount,
    )
    return bool(options.maildir_use_size_file) or any(each is not None for each in asked)


def asks_no_more(options: MailboxOptions) -> bool:
    """Nothing but a plain Maildir is wanted, if that."""
    texts = (options.message_prefix, options.message_suffix)
    return not (
        does_count(options)
        or options.maildir_tag is not None
        or options.maildirfolder_create_regex
        or options.create_file != "anywhere"
        or options.use_bsmtp
        or options.use_crlf
        or options.check_string
        or options.filter_line is not None
        or options.body_only
        or any(each is not None and each.source for each in texts)
    )


def rules_of(options: MailboxOptions) -> FileRules:
    """What never changes, as the helper is told."""
    return FileRules(
        mode=options.mode,
        directory_mode=options.directory_mode,
        fails_when_narrower=options.mode_fail_narrower,
        creates_directory=options.create_directory,
        must_exist=options.file_must_exist,
        checks_owner=options.check_owner,
        checks_group=options.check_group,
        allows_symlink=options.allow_symlink,
        allows_fifo=options.allow_fifo,
        formats=_formats(options),
        locking=Locking(
            with_lockfile=bool(options.use_lockfile),
            with_fcntl=bool(options.use_fcntl_lock),
            with_flock=options.use_flock_lock,
            as_mbx=_locks_as_mbx(options),
            lockfile_mode=options.lockfile_mode,
            lockfile_timeout=options.lockfile_timeout,
        ),
        size_regex=options.quota_size_regex or "",
        directory_regex=options.maildir_quota_directory_regex,
        folder_regex=options.maildirfolder_create_regex or "",
    )


def _locks_as_mbx(options: MailboxOptions) -> bool:
    if "use_mbx_lock" in options.given:
        return bool(options.use_mbx_lock)
    return options.mbx_format and not {"use_fcntl_lock", "use_flock_lock", "use_lockfile"} & set(
        options.given
    )


def _formats(options: MailboxOptions) -> tuple[tuple[bytes, str], ...]:
    if not options.file_format:
        return ()
    items = [item for item, _ in split(options.file_format)]
    marks = [mark.encode("utf-8", "surrogateescape") for mark in items[::2]]
    transports = ["" if name == options.name else name for name in items[1::2]]
    return tuple(zip(marks, transports, strict=False))
