"""More scenarios: what goes wrong where mail is to be written, and what other programs hold."""

from __future__ import annotations

from tests.oracle.flow.mailbox_scenarios import MAILDIR, MBOX, OLD, PLAIN, STORE
from tests.oracle.flow.mailboxes import MESSAGE, Scenario

ON_DISK = {
    "mbox": "file = TOP/mail/disk/$local_part_data\n",
    "mbx": "file = TOP/mail/disk/$local_part_data\nmbx_format\nmessage_prefix =\nmessage_suffix =\n",
    "maildir": "directory = TOP/mail/disk/$local_part_data\nmaildir_format\n",
    "mailstore": "directory = TOP/mail/disk/$local_part_data\nmailstore_format\n",
    "single": "directory = TOP/mail/disk/$local_part_data\n",
}
BIG = MESSAGE + b"a line of a message that does not fit on so small a disk\n" * 2000
LOCK = (
    "python3 -c \"import fcntl, time; f = open('daemon', 'r+'); fcntl.{call}(f, fcntl.LOCK_EX);"
    " open('TOP/ready', 'w'); time.sleep(25)\""
)
BY_FCNTL, BY_FLOCK = LOCK.format(call="lockf"), LOCK.format(call="flock")
SOON = "lock_interval = 1s\nlock_retries = 2\n"
MBX = MBOX + "mbx_format\nmessage_prefix =\nmessage_suffix =\n"
MBX_OLD = "printf '*mbx*\\r\\n' > $u; chown $u:$u $u; chmod 600 $u"
DIRECTORIES = "mkdir -p $u/new $u/cur $u/tmp; chown -R $u:$u $u"


FORWARD = """\
userforward:
  driver = redirect
  check_local_user
  require_files = $local_part_data:TOP/mail/home/.forward
  file = TOP/mail/home/.forward
  file_transport = box
"""


def _full() -> dict[str, Scenario]:
    return {
        f"full-disk-{kind}": Scenario(options, disk="size=64k", message=BIG)
        for kind, options in ON_DISK.items()
    }


def _read_only() -> dict[str, Scenario]:
    return {
        f"read-only-disk-{kind}": Scenario(options, "mount -o remount,ro disk", disk="size=64k")
        for kind, options in ON_DISK.items()
    }


def _quotas() -> dict[str, Scenario]:
    found = {}
    for kind, options in (("maildir", MAILDIR), ("single", PLAIN), ("mailstore", STORE)):
        for name, more in (
            ("files", "quota = 1M\nquota_filecount = 2"),
            ("files-exclusive", "quota = 1M\nquota_filecount = 1\nno_quota_is_inclusive"),
            ("files-no-check", "quota = 1M\nquota_filecount = 1/no_check"),
            ("exclusive", "quota = 300\nno_quota_is_inclusive"),
            ("known", "quota = 10K\nmailbox_size = 9900\nmailbox_filecount = 3"),
        ):
            found[f"{kind}-quota-{name}"] = Scenario(options + more, rounds=3)
    return found


_WARNINGS = """\
warnings:
  driver = accept
  senders = :
  transport = warned
"""
_WARNED = """\
warned:
  driver = appendfile
  file = TOP/mail/warning
  user = mail
  group = mail
  message_prefix =
  disable_logging
  headers_remove = received
"""


def _warned(options: str) -> Scenario:
    """The real one starts itself to send the warning, as the mail user; the next round finds it in the queue."""
    return Scenario(
        MBOX + "quota = 10K\n" + options,
        "touch warning; chown mail:mail warning; chmod 600 warning",
        rounds=2,
        main="exim_path = REAL",
        routers=_WARNINGS,
        transports=_WARNED,
    )


SCENARIOS: dict[str, Scenario] = {
    **_full(),
    **_read_only(),
    **_quotas(),
    "full-disk-appending": Scenario(ON_DISK["mbox"], f"cd disk; {OLD}; cd ..", disk="size=64k", message=BIG),
    "no-inodes-maildir": Scenario(ON_DISK["maildir"], disk="size=64k,nr_inodes=3"),
    "fcntl-held": Scenario(MBOX + SOON, OLD, meanwhile=BY_FCNTL),
    "fcntl-held-timeout": Scenario(MBOX + SOON + "lock_fcntl_timeout = 1s", OLD, meanwhile=BY_FCNTL),
    "flock-held": Scenario(MBOX + SOON + "use_flock_lock\nno_use_fcntl_lock", OLD, meanwhile=BY_FLOCK),
    "flock-held-timeout": Scenario(
        MBOX + SOON + "use_flock_lock\nlock_flock_timeout = 1s", OLD, meanwhile=BY_FLOCK
    ),
    "flock-held-unasked": Scenario(MBOX + SOON, OLD, meanwhile=BY_FLOCK),
    "mbx-fcntl-held": Scenario(MBX + SOON, MBX_OLD, meanwhile=BY_FCNTL),
    "mbx-fcntl-locking": Scenario(
        MBX + SOON + "use_fcntl_lock\nno_use_mbx_lock", MBX_OLD, meanwhile=BY_FCNTL
    ),
    "mbx-lockfile": Scenario(MBX + SOON + "use_lockfile", "touch $u.lock"),
    "mbx-prefixed": Scenario(MBOX + "mbx_format"),
    "mbx-twice": Scenario(MBX, rounds=2),
    "mbx-not-mbx": Scenario(MBX, OLD),
    "lock-shut-directory": Scenario(
        MBOX.replace("mail/", "mail/shut/"),
        "mkdir -m 755 shut; touch shut/$u; chown $u:$u shut/$u; chmod 600 shut/$u",
    ),
    "lock-is-directory": Scenario(MBOX + "lock_retries = 1", "mkdir $u.lock"),
    "lockfile-mode": Scenario(MBOX + "lockfile_mode = 0644"),
    "device": Scenario(MBOX, "mknod $u c 1 7; chown $u $u"),
    "socket": Scenario(
        MBOX, "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('daemon')\"; chown $u $u"
    ),
    "dangling-link": Scenario(MBOX, "ln -s nowhere $u"),
    "link-loop": Scenario(MBOX + "allow_symlink", "ln -s $u $u; chown -h $u $u"),
    "link-in-path": Scenario(MBOX.replace("mail/", "mail/way/"), "mkdir real; chown $u real; ln -s real way"),
    "file-in-path": Scenario(MBOX.replace("mail/", "mail/way/"), "touch way"),
    "name-too-long": Scenario(
        "file = TOP/mail/${length_300:${sg{${eval:10**1}${primary_hostname}}{.}{xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}}}"
    ),
    "unreadable-wanted": Scenario(MBOX + "mode = 0400", OLD + "; chmod 400 $u"),
    "set-group-directory": Scenario(
        MBOX.replace("mail/", "mail/shared/"), "mkdir -m 2777 shared; chgrp games shared"
    ),
    "maildir-set-group": Scenario(
        MAILDIR.replace("mail/", "mail/shared/"), "mkdir -m 2777 shared; chgrp games shared"
    ),
    "maildir-tmp-missing": Scenario(MAILDIR, "mkdir -p $u/new $u/cur; chown -R $u:$u $u"),
    "maildir-tmp-missing-not-made": Scenario(
        MAILDIR + "no_create_directory", "mkdir -p $u/new $u/cur; chown -R $u:$u $u"
    ),
    "maildir-tmp-file": Scenario(MAILDIR, "mkdir -p $u/new $u/cur; touch $u/tmp; chown -R $u:$u $u"),
    "maildir-tmp-shut": Scenario(MAILDIR, DIRECTORIES + "; chown root $u/tmp; chmod 755 $u/tmp"),
    "maildir-new-shut": Scenario(MAILDIR, DIRECTORIES + "; chown root $u/new; chmod 755 $u/new"),
    "maildir-link": Scenario(MAILDIR, "mkdir real; chown $u:$u real; ln -s real $u; chown -h $u $u"),
    "maildir-home-unreachable": Scenario(
        "directory = $home/Maildir\nmaildir_format", "chown root home; chmod 700 home"
    ),
    "maildir-no-home": Scenario("directory = $home/Maildir\nmaildir_format", "rmdir home"),
    "maildir-relative": Scenario("directory = Maildir\nmaildir_format"),
    "maildir-empty": Scenario("directory = ${if eq{a}{b}{x}}\nmaildir_format"),
    "maildir-crlf": Scenario(MAILDIR + "use_crlf"),
    "maildir-check-string": Scenario(MAILDIR + 'check_string = "body"\nescape_string = "--body"'),
    "maildir-retries": Scenario(MAILDIR + "maildir_retries = 1"),
    "maildir-size-file-garbage": Scenario(
        MAILDIR + "quota = 1M\nmaildir_use_size_file",
        DIRECTORIES + "; echo garbage > $u/maildirsize; chown $u $u/maildirsize",
    ),
    "maildir-size-file-negative": Scenario(
        MAILDIR + "quota = 1M\nmaildir_use_size_file",
        DIRECTORIES + "; printf '1048576S\\n-5 -1\\n' > $u/maildirsize; chown $u $u/maildirsize",
    ),
    "maildir-size-file-long": Scenario(
        MAILDIR + "quota = 1M\nmaildir_use_size_file",
        DIRECTORIES + "; (echo 1048576S; yes '1 0' | head -2000) > $u/maildirsize; chown $u $u/maildirsize",
    ),
    "maildir-size-file-shut": Scenario(
        MAILDIR + "quota = 1M\nmaildir_use_size_file",
        DIRECTORIES + "; echo 1048576S > $u/maildirsize; chmod 400 $u/maildirsize; chown root $u/maildirsize",
    ),
    "maildir-size-file-full-recount": Scenario(
        MAILDIR + "quota = 1000\nmaildir_use_size_file",
        DIRECTORIES
        + "; printf '1000S\\n9000 9\\n' > $u/maildirsize; chown $u $u/maildirsize; touch -d '1 hour ago' $u/maildirsize",
    ),
    "maildir-size-file-thrice": Scenario(MAILDIR + "quota = 1M\nmaildir_use_size_file", rounds=3),
    "maildir-size-file-expanded": Scenario(MAILDIR + "quota = 1M\nmaildir_use_size_file = ${if eq{a}{b}}"),
    "maildir-size-file-trash": Scenario(
        MAILDIR
        + "quota = 1M\nmaildir_use_size_file\nmaildir_quota_directory_regex = ^(?:cur|new|\\.(?!Trash).*)$",
        DIRECTORIES
        + "; mkdir -p $u/.Trash/cur $u/.other/new; echo 12345 > $u/.Trash/cur/1; echo 12 > $u/.other/new/2; echo 1 > $u/cur/3; chown -R $u $u",
    ),
    "maildir-size-file-folder": Scenario(
        "directory = TOP/mail/$local_part_data/.sub\nmaildir_format\nquota = 1M\nmaildir_use_size_file\n"
        "quota_directory = TOP/mail/$local_part_data\nmaildirfolder_create_regex = /\\.[^/]+\\$",
        DIRECTORIES,
    ),
    "maildir-size-file-regex": Scenario(
        MAILDIR
        + "quota = 1M\nmaildir_use_size_file\nquota_size_regex = ,S=(\\d+)\nmaildir_tag = ,S=$message_size",
        DIRECTORIES + "; touch $u/new/1.2.x,S=900; chown -R $u $u",
    ),
    "maildir-quota-directory": Scenario(
        MAILDIR + "quota = 1000\nquota_directory = TOP/mail/elsewhere",
        "mkdir elsewhere; head -c 990 /dev/zero > elsewhere/x",
    ),
    "maildir-quota-directory-relative": Scenario(
        MAILDIR + "quota = 1000\nquota_directory = elsewhere", DIRECTORIES
    ),
    "maildir-quota-directory-missing": Scenario(MAILDIR + "quota = 1000\nquota_directory = TOP/mail/nowhere"),
    "mbox-warns": _warned("quota_warn_threshold = 300"),
    "mbox-warns-by-size": _warned("quota_warn_threshold = 315"),
    "mbox-warns-not": _warned("quota_warn_threshold = 10%"),
    "mbox-warns-in-own-words": _warned(
        'quota_warn_threshold = 3%\nquota_warn_message = "To: $local_part@$domain\\n'
        'Reply-To: x@y.example\\nSubject: full\\n\\nMailbox of $local_part"'
    ),
    "maildir-folder-regex-bad": Scenario(MAILDIR + "maildirfolder_create_regex = ("),
    "mbox-quota-percent": Scenario(MBOX + "quota = 50%", OLD),
    "mbox-quota-negative": Scenario(MBOX + "quota = -1"),
    "mbox-quota-empty": Scenario(MBOX + "quota = ${if eq{a}{b}{1}}"),
    "mbox-quota-spaces": Scenario(MBOX + 'quota = " 10 K "'),
    "mbox-quota-huge": Scenario(MBOX + "quota = 99999999999999999999"),
    "mbox-mailbox-size-bad": Scenario(MBOX + "quota = 10K\nmailbox_size = x"),
    "mbox-file-and-tainted-home": Scenario(MBOX + "home_directory = TOP/mail/$local_part"),
    "mbox-mode-set-id": Scenario(MBOX + "mode = 4600"),
    "mbox-create-below-tainted-dots": Scenario(
        "file = TOP/mail/in/../$local_part\ncreate_file = TOP/mail/in", "mkdir in; chown $u in"
    ),
    "mbox-escape-without-check": Scenario(MBOX + "check_string ="),
    "mbox-only-check": Scenario(MBOX + 'check_string = "body"'),
    "mbox-prefix-bad": Scenario(MBOX + "message_prefix = ${if eq{a}{b}{x}fail}", OLD),
    "mbox-suffix-failing": Scenario(MBOX + "message_suffix = ${base62:x}", OLD),
    "mbox-batched": Scenario(
        "file = TOP/mail/all\nbatch_max = 5\nuser = daemon\nenvelope_to_add",
        recipients=("daemon", "games", "list"),
    ),
    "mbox-batch-id": Scenario(
        "file = TOP/mail/all\nbatch_max = 5\nuser = daemon\nbatch_id = ${if eq{$local_part}{list}{a}{b}}",
        recipients=("daemon", "games", "list"),
    ),
    "bsmtp-batched": Scenario(
        "file = TOP/mail/all\nuse_bsmtp\nbatch_max = 5\nuser = daemon", recipients=("daemon", "games", "list")
    ),
    "size-limit": Scenario(MBOX + "message_size_limit = 10", sender="<>"),
    "size-limit-bad": Scenario(MBOX + "message_size_limit = ${if eq{a}{a}{x}}"),
    "return-path-option": Scenario(MBOX + "return_path = bounces@example.org\nreturn_path_add"),
    "return-path-failing": Scenario(MBOX + "return_path = ${base62:x}\nreturn_path_add"),
    "headers-rewrite": Scenario(MBOX + "headers_rewrite = *@sender.example $1@new.example f"),
    "disable-logging": Scenario(MBOX + "disable_logging"),
    "initgroups": Scenario(MBOX + "initgroups"),
    "unknown-user-routed": Scenario(MBOX, recipients=("nosuchuserhere",), sender="<>"),
    "user-empty": Scenario(MBOX + "user = ${if eq{a}{b}{x}}"),
    "user-failing": Scenario(MBOX + "user = ${base62:x}"),
    "group-zero": Scenario(MBOX + "group = root"),
    "never-users-listed": Scenario(MBOX, main="never_users = root : daemon"),
    "forward-in-a-closed-home": Scenario(
        MBOX, "chmod 700 home; echo /dev/null >home/.forward; chown $u:$u home/.forward", routers=FORWARD
    ),
    "no-forward-in-a-closed-home": Scenario(MBOX, "chmod 700 home", routers=FORWARD),
}
