"""Pages of the small commands and of Exim's utilities (Exim chapter 54)."""

from __future__ import annotations

from pillarbox.cli.manual.roff import Item, Page, Section

_SPOOL = "exim(8)"


def _page(
    name: str,
    about: str,
    synopsis: tuple[str, ...],
    description: tuple[str, ...],
    options: dict[str, str] | None = None,
    see: tuple[str, ...] = (_SPOOL,),
    number: int = 8,
) -> Page:
    sections = [Section("Description", description)]
    if options:
        sections.append(Section("Options", (), tuple(Item(term, text) for term, text in options.items())))
    return Page(name, number, about, synopsis, tuple(sections), see)


_DATABASES = (
    "The data bases are `retry`, `callout`, `ratelimit`, `seen`, `misc` and `wait-TRANSPORT`; "
    "`tls` does not exist."
)
PAGES = (
    _page(
        "mailq",
        "list the mail queue",
        ("mailq [option ...] [id ...]",),
        (
            "The same as `exim -bp`: for each message its age, size, id, sender and, below, the recipients; those with a `D` are done. "
            "`*** frozen ***` marks what is left alone until somebody thaws it. All options of exim(8) are understood.",
        ),
        see=("exim(8)", "exiqgrep(8)", "exiqsumm(8)"),
        number=1,
    ),
    _page(
        "sendmail",
        "a mail transfer agent",
        ("sendmail [option ...] [recipient ...]",),
        (
            "The same program as exim(8), which explains the options. It takes a message from standard input for those recipients.",
        ),
    ),
    _page(
        "newaliases",
        "rebuild the alias file",
        ("newaliases [option ...]",),
        (
            "Runs `bi_command` of the configuration, as `exim -bi` does. Without one there is nothing to do: aliases are read from their "
            "text, anew when it changes.",
        ),
        number=1,
    ),
    _page(
        "runq",
        "run the mail queue once",
        ("runq [option ...]",),
        ("The same as `exim -q`, with further options behind it.",),
    ),
    _page(
        "rmail",
        "take a message from UUCP",
        ("rmail [option ...] recipient ...",),
        ("A message on standard input, recipients as arguments: the same as `exim -i -oee`.",),
    ),
    _page(
        "rsmtp",
        "take batched SMTP",
        ("rsmtp [option ...]",),
        (
            "The same as `exim -bS`: SMTP commands on standard input, no replies. The first error ends the batch.",
        ),
    ),
    _page(
        "exicyclog",
        "rotate the logs",
        ("exicyclog [-k count] [-l path] [-C file]",),
        (
            "`mainlog` becomes `mainlog.01`, that one `mainlog.02.gz`, and so on; so do the reject log and the panic log. A daemon is told "
            "to open the new files. Not for logs that have a date in their name (`%D` in `log_file_path`): they rotate by themselves.",
        ),
        {
            "-k COUNT": "Keep so many; 10 unless it is said.",
            "-l PATH": "Where the logs are, as `log_file_path` has it: `/var/log/exim/%slog`.",
            "-C FILE": "The configuration that says so otherwise.",
        },
        see=("exim(8)", "exigrep(8)", "logrotate(8)"),
    ),
    _page(
        "exigrep",
        "find messages in main logs",
        ("exigrep [option ...] pattern [log ...]",),
        (
            "Prints all lines of each message that has one which matches, from standard input when no log is named. Compressed logs "
            "(`.gz`, `.bz2`, `.xz`) are read as they are. The pattern is a regular expression of PCRE.",
        ),
        {
            "-l, --literal": "The pattern is plain text.",
            "-I, --sensitive": "Capital and small letters differ.",
            "-M, --related": "Also messages that those found have caused.",
            "-t SECONDS, --queue-time SECONDS": "Only messages that were longer than this in the queue.",
            "-v, --invert": "Messages that do not match.",
            "-h, -m, --help, --man": "A summary.",
            "--pager, --no-pager": "Accepted; no pager is started.",
        },
        see=("exim(8)", "exicyclog(8)"),
    ),
    _page(
        "exim_checkaccess",
        "ask whether a host may send to an address",
        ("exim_checkaccess address recipient [option ...]",),
        ("Holds an SMTP session as if from that IP address (`exim -bh`) and tells what is said to RCPT.",),
        {
            "-f ADDRESS": "The envelope's sender; the null sender without it.",
            "OPTION": "Others are handed to exim(8).",
        },
    ),
    _page(
        "exim_dbmbuild",
        "make a keyed file for dbm lookups",
        ("exim_dbmbuild [option ...] source file",),
        (
            "Reads keys and data as `lsearch` does, from standard input for `-`, and writes a file for `dbm` lookups: an SQLite table, as "
            "Debian's Exim has it since 4.98. It gets its name when it is whole. Ends with 1 when there were duplicate keys.",
        ),
        {
            "-nolc": "Keys stay in capitals where they are.",
            "-nozero": "No zero byte behind keys and data: for `dbmnz`.",
            "-lastdup": "Of duplicate keys the last one counts, not the first.",
            "-noduperr": "End with 0 in spite of duplicates.",
            "-nowarn": "Do not name duplicates.",
        },
        see=("exim_dumpdb(8)", "exim(8)"),
    ),
    _page(
        "exim_dumpdb",
        "show what is known of hosts, addresses and senders",
        ("exim_dumpdb [-kz] spool name", "exim_dumpdb [-k] -L file"),
        (
            "Prints the records of a data base of hints. Of a retry record: key, error number, further data, text; then when it failed first, "
            "when it was last tried, when it will be tried next, and `*` when it is past the final cutoff.",
            _DATABASES,
        ),
        {"-k": "Keys alone.", "-z": "Times in UTC.", "-L FILE": "A file of exim_dbmbuild(8)."},
        see=("exim_tidydb(8)", "exim_fixdb(8)", "exinext(8)"),
    ),
    _page(
        "exim_tidydb",
        "forget what is old of hosts, addresses and senders",
        ("exim_tidydb [-t time] spool name",),
        ("Removes records that are older, and those of messages that are gone.", _DATABASES),
        {"-t TIME": "How old: `7d`. 30 days unless it is said.", "-f": "Accepted, as Exim's does."},
        see=("exim_dumpdb(8)", "exim_fixdb(8)"),
    ),
    _page(
        "exim_fixdb",
        "change records of hosts, addresses and senders",
        ("exim_fixdb [-z] spool name", "exim_fixdb -L file"),
        (
            "Prompts. The key of a record shows it; then `d` deletes it, and the number of a field with a value changes that field. Times are "
            "pairs of digits: year, month, day, hour, minute (`2411151000`). `q` ends.",
            _DATABASES,
        ),
        {"-z": "Show times in UTC; they are typed in local time.", "-L FILE": "A file of exim_dbmbuild(8)."},
        see=("exim_dumpdb(8)", "exim_tidydb(8)"),
    ),
    _page(
        "exim_lock",
        "hold a mailbox while a command runs",
        ("exim_lock [option ...] file [command]",),
        (
            "Locks the file as deliveries do, runs the command by the shell (a shell, when none is named), and unlocks. Without an option: a "
            "lock file, and fcntl.",
        ),
        {
            "-lockfile": "A lock file beside it.",
            "-fcntl": "Lock the open file with fcntl.",
            "-flock": "Lock it with flock.",
            "-mbx": "Lock it as MBX mailboxes are.",
            "-retries N": "How often to try: 10.",
            "-interval N": "Seconds between: 3.",
            "-timeout N": "Seconds to wait for a lock instead of trying again.",
            "-restore-times": "Set the file's times back.",
            "-q": "Say nothing but errors.",
            "-v": "Say more.",
        },
    ),
    _page(
        "exim_msgdate",
        "tell when a message was received, from its id",
        ("exim_msgdate [option ...] id ...",),
        (
            "Ids of all releases of Exim are read. What follows an id behind a hyphen, such as `-H`, is not looked at.",
        ),
        {
            "-u, --unix": "Seconds since 1970.",
            "-z, --zulu, --GMT, --UTC": "The time in UTC.",
            "-l, --local": "The local time; the usual.",
            "--pid": "The number of the process, too. Ids made here hold more in that place.",
            "-b N, --base N, --b36, --b62, --base36, --base62": "What ids are written in: 62.",
            "--localhost_number N": "The host's number that is part of the ids; `none`, or `--nolocalhost_number`, when there is none.",
            "-C FILE, --debug, --nodebug, -dexim_path": "Accepted; nothing comes of them.",
            "--help, --man": "A summary.",
            "--version": "The version.",
        },
    ),
    _page(
        "exinext",
        "tell when something is tried again",
        ("exinext [-C file] [-Dname=text] what ...",),
        (
            "`what` is an address, a domain or a local part. Tells the retry records of it and of the hosts that it would be sent to: since "
            "when they fail, when they were tried last, when they are tried next.",
        ),
        {"-C FILE": "Another configuration.", "-DNAME=TEXT": "Define a macro."},
        see=("exim(8)", "exim_dumpdb(8)"),
    ),
    _page(
        "exiqgrep",
        "find messages in the queue",
        ("exiqgrep [option ...]",),
        (
            "Prints the waiting messages that all the tests hold for. Without a test it prints a summary of its options.",
        ),
        {
            "-f PATTERN": "By the sender, between `<` and `>`.",
            "-r PATTERN": "By a recipient.",
            "-s PATTERN": "By the size, as `mailq` shows it.",
            "-y SECONDS, -o SECONDS": "Younger, older than that.",
            "-z, -x": "Frozen ones, those that are not frozen.",
            "-G NAME": "In that named queue.",
            "-c": "Count.",
            "-l, -b, -i": "Long lines (the usual), short ones, ids only.",
            "-R": "The newest first.",
            "-a": "With recipients that are done.",
            "-C FILE": "Another configuration.",
            "-E PROGRAM": "Accepted: the queue is read without another program.",
            "-h": "A summary.",
        },
        see=("mailq(1)", "exiqsumm(8)"),
    ),
    _page(
        "exiqsumm",
        "summarise the queue by domain",
        ("mailq | exiqsumm [option ...]",),
        ("For each domain of recipients: how many wait, their size, the oldest, the newest.",),
        {
            "-a": "In the order of age.",
            "-c": "In the order of the count.",
            "-b": "Mark bounces with `(b)`.",
            "-f": "Mark frozen messages with `(f)`.",
            "-s": "By the sender's domain, too.",
        },
        see=("mailq(1)", "exiqgrep(8)"),
    ),
    _page(
        "exiwhat",
        "tell what the mail server is doing",
        ("exiwhat [-C file]",),
        (
            "Asks the daemon, whose processes write what they are doing into `process_log_path` when they get the signal USR1. "
            "A line for each thing that is done, with the process number in front.",
        ),
        {"-C FILE": "Another configuration."},
    ),
)
