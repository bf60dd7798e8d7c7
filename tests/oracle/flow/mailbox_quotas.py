"""Quotas of local deliveries: what `maildirsize` may hold, and every way of writing a limit (Exim 26.2, 26.5)."""

from __future__ import annotations

from tests.oracle.flow.mailbox_scenarios import MAILDIR, MBOX, PLAIN, STORE
from tests.oracle.flow.mailboxes import Scenario

_SIZED = MAILDIR + "maildir_use_size_file\n"
_MAILDIR = "mkdir -p $u/new $u/cur $u/tmp"
_TREE = (
    f"{_MAILDIR} $u/.sub/new $u/.other/new; echo hallo > $u/.sub/new/a; echo hallo2 > $u/.other/new/a; "
    "echo x > $u/new/b; chown -R $u $u"
)
_NOTHING = "${if eq{a}{b}{1}}"
_FAILING = "${if eq{a}{b}{1}fail}"


def _holding(content: str, limits: str = "quota = 1M") -> Scenario:
    """A Maildir with such a maildirsize."""
    before = f"{_MAILDIR}; printf '{content}' > $u/maildirsize; chown -R $u $u; chmod 600 $u/maildirsize"
    return Scenario(_SIZED + limits, before)


def _folder(name: str, regex: str = "") -> Scenario:
    options = (
        f"directory = TOP/mail/$local_part_data/{name}\nmaildir_format\nmaildirfolder_create_regex = /\\.[^/]+\\$\n"
        "quota = 1M\nmaildir_use_size_file\n"
    )
    return Scenario(options + (f"maildir_quota_directory_regex = {regex}" if regex else ""), _TREE)


_LIMITS = {
    "negative": "-1", "negative-unit": "-5K", "blank": "${if eq{a}{a}{  }}", "space": "10 K",
    "spaces": "${if eq{a}{a}{ 10K }}", "small-k": "1k", "small-m": "1m", "small-g": "1g", "two-letters": "1KB",
    "hexadecimal": "0x100", "fraction": "1.5K", "no-zero": ".5K", "exponent": "1e3", "huge": "99999999999999999999G",
    "plus": "+10K", "percent": "50%", "word": "100/foo", "unchecked": "100/no_check", "unchecked-unit": "1K/no_check",
    "unchecked-space": "100 /no_check", "unchecked-inner-space": "100/ no_check", "unchecked-more": "100/no_check/x",
    "unchecked-longer": "100/no_checkx", "unchecked-case": "100/NO_CHECK",
    "unchecked-spaces": "${if eq{a}{a}{100/no_check }}",
}  # fmt: skip
_COUNTS = {
    "bad": "x", "unit": "1K", "negative": "-1", "empty": _NOTHING, "failing": _FAILING, "unchecked": "1/no_check",
}  # fmt: skip
_SIZES = {
    "bad": "x",
    "negative": "-1",
    "empty": _NOTHING,
    "percent": "5%",
    "unchecked": "5/no_check",
    "unit": "6K",
}
_WARNINGS = {
    "zero": "0", "zero-percent": "0%", "percent": "99%", "whole": "100%", "more": "101%", "hardly-more": "100.5%",
    "negative": "-5%", "empty": _NOTHING, "failing": _FAILING, "unchecked": "10/no_check", "unit": "1K%",
    "unit-behind": "1%K", "space": "99 %", "space-behind": "${if eq{a}{a}{99% }}",
}  # fmt: skip
_HELD = {
    "rubbish": "rubbish\\n", "empty": "", "no-line": "1048576S", "negative": "1048576S\\n-5 -1\\n",
    "other-count": "1048576S,5C\\n5 1\\n", "leading": "1048576S\\n  5 1\\n", "two-spaces": "1048576S\\n5  1\\n",
    "trailing": "1048576S\\n5 1 \\n", "three": "1048576S\\n5 1 3\\n", "tab": "1048576S\\n5\\t1\\n",
    "no-line-end": "1048576S\\n5 1", "plus": "1048576S\\n+5 +1\\n", "crlf": "1048576S\\n5 1\\r\\n",
    "one": "1048576S\\n5\\n", "empty-line": "1048576S\\n5 1\\n\\n7 1\\n", "space-above": "1048576S \\n5 1\\n",
    "unknown-letter": "1048576S,0C,5X\\n5 1\\n", "small-letter": "1048576s\\n5 1\\n",
    "junk": "1048576S\\n5 1\\nfoo bar\\n",
}  # fmt: skip
SCENARIOS: dict[str, Scenario] = {
    **{f"quota-{name}": Scenario(f"{MBOX}quota = {text}") for name, text in _LIMITS.items()},
    **{
        f"filecount-{name}": Scenario(f"{PLAIN}quota = 1M\nquota_filecount = {text}", rounds=2)
        for name, text in _COUNTS.items()
    },
    **{
        f"known-size-{name}": Scenario(f"{MBOX}quota = 6K\nmailbox_size = {text}")
        for name, text in _SIZES.items()
    },
    **{
        f"warning-{name}": Scenario(f"{MBOX}quota = 10K\nquota_warn_threshold = {text}")
        for name, text in _WARNINGS.items()
    },
    **{f"held-{name}": _holding(text) for name, text in _HELD.items()},
    "held-zero": _holding("0S\\n5 1\\n", "quota = 0"),
    "held-zero-other": _holding("1000S\\n5 1\\n", "quota = 0"),
    "held-unset": _holding("1000S\\n5 1\\n", ""),
    "held-swapped": _holding("5C,1048576S\\n5 1\\n", "quota = 1M\nquota_filecount = 5"),
    "sized-zero": Scenario(_SIZED + "quota = 0", rounds=2),
    "sized-zero-count": Scenario(_SIZED + "quota = 0\nquota_filecount = 1", rounds=2),
    "sized-nothing": Scenario(f"{_SIZED}quota = {_NOTHING}", rounds=2),
    "sized-unchecked": Scenario(_SIZED + "quota = 100/no_check", rounds=2),
    "sized-unchecked-count": Scenario(_SIZED + "quota = 1M\nquota_filecount = 1/no_check", rounds=2),
    "sized-exclusive": Scenario(_SIZED + "quota = 300\nno_quota_is_inclusive", rounds=2),
    "sized-known": Scenario(_SIZED + "quota = 10K\nmailbox_size = 10K"),
    "sized-known-count": Scenario(_SIZED + "quota = 10K\nquota_filecount = 5\nmailbox_filecount = 5"),
    "sized-elsewhere": Scenario(
        _SIZED + "quota = 10K\nquota_directory = TOP/mail/other",
        "mkdir -p other/new other/cur; echo hallo > other/new/a; chown -R $u other",
    ),
    "sized-some": Scenario(f"{_SIZED}quota = 10K\nmaildir_quota_directory_regex = ^(cur|new|.sub)", _TREE),
    "sized-none": Scenario(f"{_SIZED}quota = 10K\nmaildir_quota_directory_regex = nomatch", _TREE),
    "sized-others": Scenario(f"{_SIZED}quota = 10K\nmaildir_quota_directory_regex = ^.other", _TREE),
    "sized-new": Scenario(f"{_SIZED}quota = 10K\nmaildir_quota_directory_regex = ^new", _TREE),
    "folder-counted": _folder(".sub"),
    "folder-wanted": _folder(".sub", r"^(?:cur|new|\.sub)"),
    "folder-unwanted": _folder(".other", r"^(?:cur|new|\.sub)"),
    "folder-trash": _folder(".Trash", r"^(?:cur|new|\.(?!Trash).*)"),
    "count-without-size": Scenario(MAILDIR + "quota = 0\nquota_filecount = 1", rounds=3),
    "known-size-without-quota": Scenario(MBOX + "mailbox_size = x"),
    "known-count-without-quota": Scenario(PLAIN + "mailbox_filecount = x"),
    "warning-without-quota": Scenario(MBOX + "quota_warn_threshold = 75%"),
    "directory-relative": Scenario(PLAIN + "quota = 10K\nquota_directory = x"),
    "directory-empty": Scenario(f"{PLAIN}quota = 10K\nquota_directory = {_NOTHING}"),
    "directory-failing": Scenario(f"{PLAIN}quota = 10K\nquota_directory = {_FAILING}"),
    "directory-missing": Scenario(PLAIN + "quota = 10K\nquota_directory = TOP/mail/none"),
    "regex-without-capture": Scenario(PLAIN + "quota = 10K\nquota_size_regex = q"),
    "store-count": Scenario(STORE + "quota = 10K\nquota_filecount = 2", rounds=3),
    "mbx-quota": Scenario(MBOX + "quota = 3K\nmbx_format\nmessage_prefix =\nmessage_suffix =", rounds=3),
}
