"""The scenarios: each option of appendfile, its edges and its errors."""

from __future__ import annotations

from tests.oracle.flow.mailboxes import MESSAGE, Scenario

MBOX = "file = TOP/mail/$local_part_data\n"
MAILDIR = "directory = TOP/mail/$local_part_data\nmaildir_format\n"
STORE = "directory = TOP/mail/$local_part_data\nmailstore_format\n"
PLAIN = "directory = TOP/mail/$local_part_data\n"
OLD = "printf 'From x Mon Jan  1 00:00:00 2001\\nSubject: old\\n\\nold\\n\\n' > $u; chown $u:$u $u; chmod 600 $u"
LONG = MESSAGE + b"x" * 70 + b"\n"

SUFFIXES = """\
suffixed:
  driver = accept
  local_part_suffix = -*
  check_local_user
  transport = box
"""
REDIRECT = """\
aliases:
  driver = redirect
  domains = example.org
  data = {data}
  user = daemon
  group = daemon
  file_transport = box
  directory_transport = box
  {more}
"""


def redirected(data: str, options: str = "", before: str = "", more: str = "") -> Scenario:
    return Scenario(options, before, routers=REDIRECT.format(data=data, more=more), recipients=("someone",))


def comsat(options: str, routers: str = "", recipients: tuple[str, ...] = ("daemon",)) -> Scenario:
    """Two messages, and somebody who hears of them."""
    return Scenario(
        options + "notify_comsat",
        rounds=2,
        routers=routers,
        recipients=recipients,
        meanwhile="cd ROOT; exec PYTHON -m tests.oracle.flow.biff TOP/ready TOP/mail/told",
        is_apart=True,
    )


SCENARIOS: dict[str, Scenario] = {
    "redirected-file": redirected("TOP/mail/file", "return_path_add\nenvelope_to_add"),
    "redirected-file-existing-others": redirected("TOP/mail/file", before="echo x > file; chown games file"),
    "redirected-directory": redirected("TOP/mail/dir/"),
    "redirected-directory-maildir": redirected("TOP/mail/dir/", "maildir_format"),
    "redirected-file-maildir": redirected("TOP/mail/dir", "maildir_format"),
    "redirected-file-mailstore": redirected("TOP/mail/dir", "mailstore_format"),
    "redirected-and-file": redirected("TOP/mail/x", "file = TOP/mail/own"),
    "redirected-and-file-of-address": redirected("TOP/mail/x", "file = ${address_file}.more"),
    "redirected-two-files": redirected("TOP/mail/x, TOP/mail/y"),
    "redirected-dev-null": redirected("/dev/null"),
    "redirected-below-home": redirected(
        "TOP/mail/home/x", "create_file = belowhome\nhome_directory = TOP/mail/home"
    ),
    "redirected-not-below-home": redirected(
        "TOP/mail/x", "create_file = belowhome\nhome_directory = TOP/mail/home"
    ),
    "redirected-quota": redirected("TOP/mail/x", "quota = 10"),
    "redirected-relative-file": redirected("TOP/mail/x", "file = x"),
    "mbox": Scenario(MBOX),
    "mbox-twice": Scenario(MBOX, rounds=2),
    "mbox-added": Scenario(
        MBOX + "delivery_date_add\nenvelope_to_add\nreturn_path_add\ngroup = mail\nmode = 0660"
    ),
    "mbox-existing": Scenario(MBOX, OLD),
    "mbox-null-sender": Scenario(MBOX + "return_path_add", sender="<>"),
    "mbox-two-recipients": Scenario(MBOX + "envelope_to_add", recipients=("daemon", "games")),
    "mbox-wrong-owner": Scenario(MBOX, OLD + "; chown games:games $u"),
    "mbox-wrong-owner-unchecked": Scenario(
        MBOX + "no_check_owner", OLD + "; chown games:games $u; chmod 666 $u"
    ),
    "mbox-wrong-group": Scenario(MBOX + "check_group", OLD + "; chown $u:games $u"),
    "mbox-right-group": Scenario(MBOX + "check_group", OLD),
    "mbox-wider": Scenario(MBOX, OLD + "; chmod 666 $u"),
    "mbox-narrower": Scenario(MBOX + "mode = 0660", OLD + "; chmod 600 $u"),
    "mbox-narrower-allowed": Scenario(MBOX + "mode = 0660\nno_mode_fail_narrower", OLD + "; chmod 640 $u"),
    "mbox-crossed-mode": Scenario(MBOX + "mode = 0660\nno_mode_fail_narrower", OLD + "; chmod 604 $u"),
    "mbox-unreadable": Scenario(MBOX + "mode = 0200", OLD + "; chmod 200 $u"),
    "mbox-symlink": Scenario(MBOX, "touch real; chown $u real; ln -s real $u"),
    "mbox-symlink-allowed": Scenario(
        MBOX + "allow_symlink",
        "touch real; chown $u:$u real; chmod 600 real; ln -s real $u; chown -h $u:$u $u",
    ),
    "mbox-symlink-others": Scenario(MBOX + "allow_symlink", "touch real; chown $u:$u real; ln -s real $u"),
    "mbox-symlink-dangling": Scenario(MBOX + "allow_symlink", "ln -s real $u; chown -h $u:$u $u"),
    "mbox-symlink-own": Scenario(
        MBOX, "touch real; chown $u:$u real; chmod 600 real; ln -s real $u; chown -h $u:$u $u"
    ),
    "mbox-in-home-deep": Scenario("file = $home/a/box\ncreate_file = inhome"),
    "mbox-hard-link": Scenario(MBOX, OLD + "; ln $u other"),
    "mbox-is-directory": Scenario(MBOX, "mkdir $u; chown $u $u"),
    "mbox-fifo": Scenario(MBOX, "mkfifo $u; chown $u $u"),
    "mbox-fifo-allowed-unread": Scenario(MBOX + "allow_fifo", "mkfifo -m 600 $u; chown $u $u"),
    "mbox-fifo-allowed-directory": Scenario(MBOX + "allow_fifo", "mkdir $u; chown $u $u"),
    "mbox-lock-held": Scenario(MBOX + "lock_interval = 1s\nlock_retries = 1", "touch $u.lock"),
    "mbox-lock-old": Scenario(MBOX, "touch -d '1 hour ago' $u.lock; chown $u $u.lock"),
    "mbox-lock-not-old-enough": Scenario(
        MBOX + "lockfile_timeout = 2h\nlock_retries = 1", "touch -d '1 hour ago' $u.lock; chown $u $u.lock"
    ),
    "mbox-lock-off": Scenario(MBOX + "no_use_lockfile", "touch $u.lock"),
    "mbox-flock": Scenario(MBOX + "use_flock_lock\nno_use_fcntl_lock\nno_use_lockfile"),
    "mbox-no-directory-rights": Scenario("file = TOP/mail/shut/$local_part_data", "mkdir -m 755 shut"),
    "mbox-no-directory-rights-unlocked": Scenario(
        "file = TOP/mail/shut/$local_part_data\nno_use_lockfile", "mkdir -m 755 shut"
    ),
    "mbox-unreachable": Scenario("file = TOP/mail/shut/$local_part_data", "mkdir -m 700 shut"),
    "mbox-makes-directories": Scenario("file = TOP/mail/a/b/$local_part_data\ndirectory_mode = 0750"),
    "mbox-makes-no-directories": Scenario("file = TOP/mail/a/b/$local_part_data\nno_create_directory"),
    "mbox-makes-no-directories-unlocked": Scenario(
        "file = TOP/mail/a/b/$local_part_data\nno_create_directory\nno_use_lockfile"
    ),
    "mbox-cannot-make-directories": Scenario("file = TOP/mail/shut/b/$local_part_data", "mkdir -m 755 shut"),
    "mbox-must-exist": Scenario(MBOX + "file_must_exist"),
    "mbox-must-exist-does": Scenario(MBOX + "file_must_exist", OLD),
    "mbox-in-home": Scenario("file = $home/box\ncreate_file = inhome", ""),
    "mbox-not-in-home": Scenario(MBOX + "create_file = inhome", ""),
    "mbox-not-in-home-existing": Scenario(MBOX + "create_file = inhome", OLD),
    "mbox-below-home": Scenario("file = $home/a/box\ncreate_file = belowhome", ""),
    "mbox-below-home-climbing": Scenario("file = $home/../box\ncreate_file = belowhome", ""),
    "mbox-in-home-climbing": Scenario("file = $home/../box\ncreate_file = inhome", ""),
    "mbox-below-path": Scenario(
        "file = TOP/mail/in/$local_part\ncreate_file = TOP/mail/in", "mkdir in; chown $u in"
    ),
    "mbox-outside-path": Scenario(
        "file = TOP/mail/out/x\ncreate_file = TOP/mail/in", "mkdir in out; chown $u in out"
    ),
    "mbox-tainted": Scenario("file = TOP/mail/$local_part"),
    "mbox-tainted-below-home": Scenario("file = $home/$local_part\ncreate_file = belowhome", ""),
    "mbox-tainted-in-home": Scenario("file = $home/$local_part\ncreate_file = inhome", ""),
    "mbox-relative": Scenario("file = mail/x"),
    "mbox-empty-name": Scenario("file = ${if eq{a}{b}{x}}"),
    "mbox-bad-expansion": Scenario("file = ${if eq{a}{b}{x}fail}"),
    "mbox-failing-expansion": Scenario("file = TOP/mail/${extract{x}{$local_part_data=1}{$value}fail}"),
    "mbox-no-file": Scenario("no_check_owner"),
    "mbox-dev-null": Scenario("file = /dev/null"),
    "mbox-prefix-suffix": Scenario(MBOX + 'message_prefix = "P $return_path\\n"\nmessage_suffix = "S\\n"'),
    "mbox-no-prefix": Scenario(MBOX + "message_prefix =\nmessage_suffix ="),
    "mbox-check-string": Scenario(MBOX + 'check_string = "body"\nescape_string = "--body"'),
    "mbox-mmdf": Scenario(
        MBOX
        + 'check_string = "\\1\\1\\1\\1\\n"\nescape_string = "\\1\\1\\1\\1 \\n"\nmessage_prefix = "\\1\\1\\1\\1\\n"\n'
        'message_suffix = "\\1\\1\\1\\1\\n"',
        message=MESSAGE + b"\1\1\1\1\n\1\1\1\1\nend\n",
    ),
    "mbox-many-from": Scenario(MBOX, message=MESSAGE + b"From a\nFrom b\n\nFrom c\nFrom"),
    "mbox-body-only": Scenario(MBOX + "body_only"),
    "mbox-headers-only": Scenario(MBOX + "headers_only"),
    "mbox-bsmtp": Scenario(MBOX + "use_bsmtp", recipients=("daemon",)),
    "mbox-bsmtp-crlf": Scenario(MBOX + "use_bsmtp\nuse_crlf"),
    "mbox-bsmtp-prefix": Scenario(MBOX + 'use_bsmtp\nmessage_prefix = "HELO mail\\n"'),
    "mbox-crlf": Scenario(MBOX + "use_crlf"),
    "mbox-headers": Scenario(MBOX + "headers_add = X-A: 1\\nX-B: 2\nheaders_remove = subject"),
    "mbox-format-other": Scenario(
        MBOX + 'file_format = "From : box : Xx : other"',
        "printf 'Xx\\n' > $u; chown $u:$u $u; chmod 600 $u",
        transports="other:\n  driver = appendfile\n  file = TOP/mail/$local_part_data.other\n",
    ),
    "mbox-format-own": Scenario(MBOX + 'file_format = "From : box"', OLD),
    "mbox-format-unknown": Scenario(MBOX + 'file_format = "Xrom : box"', OLD),
    "mbox-format-no-transport": Scenario(MBOX + 'file_format = "From : nowhere"', OLD),
    "mbox-quota": Scenario(MBOX + "quota = 100"),
    "mbox-quota-enough": Scenario(MBOX + "quota = 10K", rounds=2),
    "mbox-quota-second": Scenario(MBOX + "quota = 600", rounds=2),
    "mbox-quota-exclusive": Scenario(MBOX + "quota = 300\nno_quota_is_inclusive", rounds=2),
    "mbox-quota-no-check": Scenario(MBOX + "quota = 100/no_check"),
    "mbox-quota-zero": Scenario(MBOX + "quota = 0"),
    "mbox-quota-bad": Scenario(MBOX + "quota = lots"),
    "mbox-quota-unit": Scenario(MBOX + "quota = 1T"),
    "mbox-quota-fraction": Scenario(MBOX + "quota = 0.1K"),
    "mbox-quota-failing": Scenario(MBOX + "quota = ${if eq{a}{b}{1}fail}"),
    "mbox-quota-known": Scenario(MBOX + "quota = 10K\nmailbox_size = 10K"),
    "mbox-warn-bad-percent": Scenario(MBOX + "quota = 10K\nquota_warn_threshold = 175%"),
    "mbox-warn-bad": Scenario(MBOX + "quota = 10K\nquota_warn_threshold = many"),
    "mbox-user-unknown": Scenario(MBOX + "user = ${if eq{a}{a}{nosuchuser}}"),
    "mbox-group-unknown": Scenario(MBOX + "group = ${if eq{a}{a}{nosuchgroup}}"),
    "mbox-user-root": Scenario(MBOX + "user = root"),
    "mbox-user-never": Scenario(MBOX + "user = games", main="never_users = games"),
    "mbox-user-games": Scenario(MBOX + "user = games"),
    "mbox-user-number": Scenario(MBOX + "user = 4711\ngroup = 4712"),
    "mbox-home-relative": Scenario(MBOX + "home_directory = x/y"),
    "mbox-current-relative": Scenario(MBOX + "current_directory = x/y"),
    "mbox-current-missing": Scenario(MBOX + "current_directory = /none/such"),
    "mbx": Scenario(MBOX + "mbx_format\nmessage_prefix =\nmessage_suffix =", rounds=2),
    "mbx-crlf": Scenario(MBOX + "mbx_format\nuse_crlf\nmessage_prefix =\nmessage_suffix ="),
    "maildir": Scenario(MAILDIR),
    "maildir-twice": Scenario(MAILDIR, rounds=2),
    "maildir-modes": Scenario(MAILDIR + "mode = 0640\ndirectory_mode = 0750"),
    "maildir-deep": Scenario("directory = TOP/mail/a/b/c\nmaildir_format"),
    "maildir-not-made": Scenario(MAILDIR + "no_create_directory"),
    "maildir-partly-there": Scenario(MAILDIR, "mkdir -p $u/new; chown -R $u $u"),
    "maildir-shut": Scenario("directory = TOP/mail/shut/x\nmaildir_format", "mkdir -m 755 shut"),
    "maildir-others": Scenario(MAILDIR, "mkdir -p $u/new $u/cur $u/tmp"),
    "maildir-is-file": Scenario(MAILDIR, OLD),
    "maildir-tag": Scenario(MAILDIR + "maildir_tag = ,S=$message_size"),
    "maildir-tag-alphanumeric": Scenario(MAILDIR + "maildir_tag = abc"),
    "maildir-tag-forced": Scenario(MAILDIR + "maildir_tag = ${if eq{a}{b}{x}fail}"),
    "maildir-tag-failing": Scenario(MAILDIR + "maildir_tag = ${if eq{a}{b}{x}fail}${base62:x}"),
    "maildir-tag-slash": Scenario(MAILDIR + "maildir_tag = ,a/b"),
    "maildir-quota": Scenario(MAILDIR + "quota = 100"),
    "maildir-quota-files": Scenario(MAILDIR + "quota = 1M\nquota_filecount = 1", rounds=2),
    "maildir-quota-second": Scenario(MAILDIR + "quota = 600", rounds=2),
    "maildir-size-file": Scenario(MAILDIR + "quota = 1M\nmaildir_use_size_file", rounds=2),
    "maildir-size-file-count": Scenario(
        MAILDIR + "quota = 1M\nquota_filecount = 10\nmaildir_use_size_file", rounds=2
    ),
    "maildir-size-file-no-quota": Scenario(MAILDIR + "maildir_use_size_file"),
    "maildir-size-file-full": Scenario(MAILDIR + "quota = 600\nmaildir_use_size_file", rounds=2),
    "maildir-size-file-old-quota": Scenario(
        MAILDIR + "quota = 1M\nmaildir_use_size_file",
        "mkdir -p $u/new $u/cur $u/tmp; echo 1000S > $u/maildirsize; echo 5 1 >> $u/maildirsize; chown -R $u $u; chmod 600 $u/maildirsize",
    ),
    "maildir-size-file-kept": Scenario(
        MAILDIR + "quota = 1M\nmaildir_use_size_file",
        "mkdir -p $u/new $u/cur $u/tmp; echo 1048576S > $u/maildirsize; echo 5 1 >> $u/maildirsize; chown -R $u $u; chmod 600 $u/maildirsize",
    ),
    "maildir-folder": Scenario(
        "directory = TOP/mail/$local_part_data/.list\nmaildir_format\nmaildirfolder_create_regex = /\\.[^/]+\\$\n"
        "quota = 1M\nmaildir_use_size_file",
        "mkdir -p $u/new $u/cur $u/tmp; chown -R $u $u",
    ),
    "maildir-quota-regex": Scenario(
        MAILDIR + "quota = 1000\nquota_size_regex = ,S=(\\d+)",
        "mkdir -p $u/new $u/cur $u/tmp; touch $u/new/1.2.x,S=900; chown -R $u $u",
    ),
    "maildir-prefix": Scenario(MAILDIR + 'message_prefix = "P\\n"\nmessage_suffix = "S\\n"'),
    "maildir-below-home": Scenario(
        "directory = $home/$local_part\nmaildir_format\ncreate_file = belowhome", ""
    ),
    "maildir-in-home": Scenario("directory = $home/md\nmaildir_format\ncreate_file = inhome"),
    "maildir-is-home": Scenario("directory = $home\nmaildir_format\ncreate_file = inhome"),
    "maildir-is-home-below": Scenario("directory = $home\nmaildir_format\ncreate_file = belowhome"),
    "maildir-not-below-home-existing": Scenario(
        MAILDIR + "create_file = belowhome", "mkdir -p $u/new $u/cur $u/tmp; chown -R $u $u"
    ),
    "single-not-in-home-existing": Scenario(PLAIN + "create_file = inhome", "mkdir $u; chown $u $u"),
    "mbox-filter-fails": Scenario(MBOX + "transport_filter = /bin/false"),
    "mbox-wrong-owner-filter-fails": Scenario(
        MBOX + "transport_filter = /bin/false", OLD + "; chown games:games $u"
    ),
    "maildir-not-below-home": Scenario(MAILDIR + "create_file = belowhome", ""),
    "maildir-tainted": Scenario("directory = TOP/mail/$local_part\nmaildir_format"),
    "mailstore": Scenario(STORE),
    "mailstore-texts": Scenario(STORE + "mailstore_prefix = before $local_part\nmailstore_suffix = after"),
    "mailstore-forced": Scenario(STORE + "mailstore_prefix = ${if eq{a}{b}{x}fail}"),
    "mailstore-quota": Scenario(STORE + "quota = 10"),
    "single": Scenario(PLAIN),
    "single-named": Scenario(PLAIN + "directory_file = x$local_part_data", shows_names=True),
    "single-bad-name": Scenario(PLAIN + "directory_file = ${if eq{a}{b}{x}fail}"),
    "single-name-taken": Scenario(PLAIN + "directory_file = fixed", rounds=2, shows_names=True),
    "single-name-with-slash": Scenario(PLAIN + "directory_file = a/b"),
    "single-name-empty": Scenario(PLAIN + "directory_file ="),
    "single-not-made": Scenario(PLAIN + "no_create_directory"),
    "single-bsmtp": Scenario(PLAIN + "use_bsmtp\nbatch_max = 10", recipients=("daemon",)),
    "single-quota": Scenario(PLAIN + "quota = 1K", rounds=3),
    "large": Scenario(MBOX, message=MESSAGE + b"From the line of a large message, again and again\n" * 8000),
    "large-maildir": Scenario(
        MAILDIR, message=MESSAGE + b"From the line of a large message, again and again\n" * 8000
    ),
    "no-home": Scenario(MBOX, "rmdir home"),
    "home-shut": Scenario(MBOX, "chown root home; chmod 700 home"),
    "comsat": Scenario(MBOX + "notify_comsat"),
    "comsat-mbox": comsat(MBOX),
    "comsat-maildir": comsat(MAILDIR),
    "comsat-mbx": comsat(MBOX + "mbx_format\nmessage_prefix =\nmessage_suffix =\n"),
    "comsat-single": comsat(PLAIN),
    "comsat-mailstore": comsat(STORE),
    "comsat-full": comsat(MBOX + "quota = 500\n"),
    "comsat-two": comsat(MBOX + "batch_max = 10\n", recipients=("daemon", "games")),
    "comsat-suffix": comsat(MBOX, routers=SUFFIXES, recipients=("daemon-x",)),
}
