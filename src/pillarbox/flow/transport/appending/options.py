"""What appendfile can be told (Exim 26.2), and the combinations that are refused. What the options come to is in `rules`."""

from __future__ import annotations

from pillarbox.config.declare import derived, option
from pillarbox.config.errors import CombinationError, OptionError
from pillarbox.config.kinds import Duration, ExpandedBool, Octal
from pillarbox.flow.transport.appending.rules import asks_no_more, does_count, rules_of
from pillarbox.flow.transport.batching import Batching
from pillarbox.language.expand.template import Template
from pillarbox.ports.userfiles import FileRules

_MBOX_PREFIX = "From ${if def:return_path{$return_path}{MAILER-DAEMON}} ${tod_bsdinbox}\n"
_WARNING = (
    "To: $local_part@$domain\nSubject: Your mailbox\n\n"
    "This message is automatically created by mail delivery software (Exim).\n\n"
    "The size of your mailbox has exceeded a warning threshold that is\nset by the system administrator.\n"
)


class MailboxOptions(Batching):
    """Declared apart from what is done with them."""

    directory: Template | None = option(default=None, doc="The directory: an absolute path.")
    file: Template | None = option(default=None, doc="The mbox file.")
    maildir_format: bool = option(default=False, doc="The directory is a Maildir.")
    mailstore_format: bool = option(default=False, doc="The directory holds two files for each message.")
    mbx_format: bool = option(default=False, doc="The file is an MBX mailbox.")
    create_directory: bool = option(default=True, doc="Make directories that are missing.")
    mode: Octal = option(default=0o600, doc="Permissions of new files.")
    directory_mode: Octal = option(default=0o700, doc="Permissions of new directories.")
    allow_fifo: bool = option(default=False, doc="Deliver into named pipes too.")
    allow_symlink: bool = option(default=False, doc="Deliver to where a symbolic link leads.")
    check_group: bool = option(default=False, doc="An existing file must have the right group.")
    check_owner: bool = option(default=True, doc="An existing file must have the right owner.")
    check_string: str | None = option(
        default=None, doc="Lines that begin with this are escaped; unset: `From ` in files."
    )
    create_file: str = option(
        default="anywhere",
        doc="Where new files may be: anywhere, belowhome, inhome, or beneath a path.",
    )
    directory_file: Template | None = option(
        default="q${base62:$tod_epoch}-$inode",
        doc="Name of a message's file in a directory of no format.",
    )
    escape_string: str | None = option(
        default=None, doc="What takes the place of check_string; unset: `>From ` in files."
    )
    file_format: str | None = option(
        default=None, doc="Beginnings of mailboxes, and the transports that can write them."
    )
    file_must_exist: bool = option(default=False, doc="Fail when there is no such file.")
    lock_fcntl_timeout: Duration = option(
        default="0s", doc="Wait so long for a lock of fcntl; 0: try again after lock_interval."
    )
    lock_flock_timeout: Duration = option(default="0s", doc="Wait so long for a lock of flock, likewise.")
    lock_interval: Duration = option(default="3s", doc="Time between tries to lock.")
    lock_retries: int = option(default=10, doc="Tries to lock.")
    lockfile_mode: Octal = option(default=0o600, doc="Permissions of lock files.")
    lockfile_timeout: Duration = option(default="30m", doc="Remove a lock file that is older.")
    mailbox_filecount: Template | None = option(
        default=None, doc="Number of files that the mailbox has; unset: they are counted."
    )
    mailbox_size: Template | None = option(
        default=None, doc="Size that the mailbox has; unset: it is added up."
    )
    maildir_quota_directory_regex: str = option(
        default=r"^(?:cur|new|\..*)$", doc="Subdirectories that count for quotas."
    )
    maildir_retries: int = option(default=10, doc="Tries to make a name in a Maildir.")
    maildir_tag: Template | None = option(default=None, doc="Text behind the name of new files.")
    maildir_use_size_file: ExpandedBool = option(default=False, doc="Keep the Maildir's size in maildirsize.")
    maildirfolder_create_regex: str | None = option(
        default=None, doc="Make maildirfolder in directories whose path matches."
    )
    mailstore_prefix: Template | None = option(
        default=None, doc="Text in front of the envelope in mailstore."
    )
    mailstore_suffix: Template | None = option(default=None, doc="Text behind it.")
    message_prefix: Template | None = option(
        default=None,
        doc="Text in front of each message; unset: the `From ` line of mbox in files.",
    )
    message_suffix: Template | None = option(
        default=None, doc="Text behind each message; unset: an empty line in files."
    )
    mode_fail_narrower: bool = option(
        default=True, doc="Fail when an existing file has fewer permissions than mode."
    )
    notify_comsat: bool = option(default=False, doc="Tell comsat of new mail.")
    quota: Template | None = option(default=None, doc="Largest size of the mailbox.")
    quota_directory: Template | None = option(
        default=None, doc="Where to count; unset: the directory delivered into."
    )
    quota_filecount: Template | None = option(default=None, doc="Largest number of messages.")
    quota_is_inclusive: bool = option(default=True, doc="The message itself counts too.")
    quota_size_regex: str | None = option(
        default=None, doc="How to read a message's size off its file's name."
    )
    quota_warn_message: Template | None = option(default=None, doc="The message that warns of the threshold.")
    quota_warn_threshold: Template | None = option(
        default=None, doc="Warn when the mailbox has grown above this."
    )
    use_bsmtp: bool = option(default=False, doc="Write batch SMTP.")
    use_crlf: bool = option(default=False, doc="End lines with CRLF.")
    use_fcntl_lock: bool | None = option(default=None, doc="Lock with fcntl; unset: yes.")
    use_flock_lock: bool = option(default=False, doc="Lock with flock.")
    use_lockfile: bool | None = option(default=None, doc="Lock with a file; unset: yes, but not for MBX.")
    use_mbx_lock: bool | None = option(default=None, doc="Lock as MBX wants it; unset: for MBX.")

    rules: FileRules = derived(init=False)
    """What never changes, as the helper is told."""
    is_simple: bool = derived(init=False)
    """Nothing asks for more than a plain Maildir."""
    counts: bool = derived(init=False)
    """Sizes are to be looked at."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_formats()
        self._check_locks()
        if not (self.create_file in ("anywhere", "belowhome", "inhome") or self.create_file.startswith("/")):
            reason = (
                f"invalid value given for \"create_file\" for the {self.name} transport: '{self.create_file}'"
            )
            raise CombinationError(reason)
        is_file = self.directory is None and not (self.maildir_format or self.mailstore_format)
        self._fill(
            message_prefix=_MBOX_PREFIX if is_file and not self.use_bsmtp else "",
            message_suffix="\n" if is_file and not self.use_bsmtp else "",
            check_string="." if self.use_bsmtp else "From " if is_file else "",
            escape_string=".." if self.use_bsmtp else ">From " if is_file else "",
        )
        if self.quota_warn_threshold is not None:
            self._fill(quota_warn_message=_WARNING)
        put = object.__setattr__
        put(self, "rules", rules_of(self))
        put(self, "counts", does_count(self))
        put(self, "is_simple", self.maildir_format and asks_no_more(self))

    def _check_formats(self) -> None:
        if self.file is not None and self.directory is not None:
            raise OptionError('only one of "file" or "directory" can be specified', "file")
        if self.maildir_format and self.mailstore_format:
            raise OptionError("only one of maildir and mailstore may be specified", "maildir_format")
        for field in ("quota_directory", "quota_filecount"):
            if getattr(self, field) is not None and self.directory is None:
                raise OptionError(f'{field} must not be set without "directory"', field)
        if self.quota_filecount is not None and self.quota is None:
            raise OptionError("quota must be set if quota_filecount is set", "quota_filecount")

    def _check_locks(self) -> None:
        put = object.__setattr__
        if self.use_fcntl_lock is None:
            put(self, "use_fcntl_lock", True)
        if self.use_lockfile is None:
            put(self, "use_lockfile", not self.mbx_format)
        if self.use_mbx_lock is None:
            put(self, "use_mbx_lock", self.mbx_format)
        has_lock = self.use_fcntl_lock or self.use_lockfile or self.use_flock_lock or self.use_mbx_lock
        if self.file is not None and not has_lock:
            raise OptionError("no locking configured", "use_lockfile")

    def _fill(self, **texts: str) -> None:
        """Defaults that depend on other settings."""
        for field, text in texts.items():
            if getattr(self, field) is None:
                is_plain = field in ("check_string", "escape_string")
                object.__setattr__(self, field, text if is_plain else Template.parse(text))
