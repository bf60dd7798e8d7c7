"""What Exim's command line says, read: plain values, no decisions (Exim chapter 5)."""

from __future__ import annotations

from collections.abc import Sequence

VIEWS = frozenset(("view_headers", "view_body", "view_log", "view_copy"))
"""Modes that show something of waiting messages."""
CHANGES = frozenset(
    (
        "freeze",
        "thaw",
        "remove",
        "give_up",
        "mark_delivered",
        "mark_all_delivered",
        "add_recipient",
        "edit_sender",
        "move",
    )
)
"""Modes that change them."""


class Usage(Exception):
    """The command line cannot be understood; `str()` says why, in Exim's words. The exit code is 1."""


class Unreadable(Usage):
    """An option that does not exist, lacks its value, or has a value that makes no sense."""


class QueueWish:
    """`-q…`, `-R`, `-S`: which messages, and how hard to try."""

    is_wanted = False
    """One run, now."""
    is_once = False
    """The same, in front of or beside the regular runs of a daemon; what `-R` and `-S` behind a regular run choose is chosen for that one."""
    is_two_stage = False
    first_only = False
    force = False
    force_frozen = False
    local_only = False
    name = ""
    """`-qG<name>`."""
    regular: list[tuple[str, str, str]]
    """Runs of a daemon: flags, name (empty: the usual queue) and time of each `-q<flags><time>` and `-q<flags>G<name>/<time>`."""
    recipient = ""
    is_regular_recipient = False
    """`-Rr`: the text is a regular expression."""
    sender = ""
    is_regular_sender = False
    first_id = ""
    last_id = ""

    def __init__(self) -> None:
        self.regular = []


class Arguments:
    """The command line, read."""

    program: str
    mode = ""
    """A key of `modes.MODES`; empty: none was chosen, which means `submit` where there is anything to submit."""
    mode_option = ""
    """The option that chose it, for error texts."""
    words: list[str]
    config: str | None
    data: str | None
    macros: dict[str, str]
    # The message
    sender: str | None = None
    """`-f`; empty: the null sender."""
    full_name: str | None = None
    dot_ends = True
    extract = False
    delivery = ""
    """`b`, `i`, `q` or `qs` of `-od…`; empty: as the configuration has it."""
    errors_to_stderr = ""
    """`-oe…`: `e`, `m`, `p`, `q`, `w`."""
    about: dict[str, str]
    """`-oM…` by its letters: `a` host address, `s` host name, `r` protocol, `t` ident, `i` interface, `aa` authenticator, `ai` id,
    `as` sender, `m` message reference."""
    tells_of_error = False
    """`-E`."""
    reference = ""
    """`-oMm`, `-E`: the message that this one is about, as a bounce is; from anybody."""
    notify: tuple[str, ...] = ()
    """`-oDSN N=…`: as NOTIFY has them, in capitals."""
    ret = ""
    """`-oDSN R=…`: `FULL` or `HDRS`."""
    envid = ""
    """`-oDSN V=…`."""
    keeps_unqualified = False
    """`-bnq`."""
    suppresses_fixups = False
    """`-G`."""
    receive_timeout = ""
    """`-or`."""
    smtp_receive_timeout = ""
    """`-os`."""
    is_verbose = False
    is_dry = False
    """`-N`: no transport runs."""
    debug: str | None = None
    """`-d`: the selectors behind it."""
    # Modes with values of their own
    queue: QueueWish
    listing_order = ""
    """Letters behind `-bp`."""
    destination_queue = ""
    """`-MG`."""
    message: str | None = None
    """The file of `-bem`."""
    loaded_id: str | None = None
    """`-Mset`: the message that `-be` loads."""
    scanned_file = ""
    """`-bmalware`."""
    host_test = ""
    """`-bh`, `-bhc`: the address."""
    user_filter: str | None = None
    system_filter: str | None = None
    filter_recipient: dict[str, str]
    """`-bfd`, `-bfl`, `-bfp`, `-bfs` by their last letter."""
    alias_file = ""
    """`-oA`."""
    listen_ports = ""
    """`-oX`."""
    pid_file = ""
    """`-oP`."""
    is_tls_on_connect = False
    """`-tls-on-connect`: TLS from the start on every SMTP port."""
    provider = ("", "")
    """`-atrn`: host, and domains divided by commas."""
    idle_end = ""
    """`1h` of `-bw1h`: the time without a connection after which the daemon ends."""
    log_line: str | None = None
    """`-X`, `-L`, `-z` and their like."""
    syslog_name = ""
    """`-L`."""
    without_names = False
    """`-n` with `-bP`: values alone."""
    test_ages = ""
    """`-Tqt`: message ages, slash-separated, with EXIM_TEST_HARNESS=1 only."""
    topic = ""
    """What `-bI:` asks for."""

    def __init__(
        self,
        program: str,
        *,
        words: Sequence[str] = (),
        config: str | None = None,
        data: str | None = None,
    ) -> None:
        self.program = program
        self.words = list(words)
        self.config = config
        self.data = data
        self.macros = {}
        self.about = {}
        self.queue = QueueWish()
        self.filter_recipient = {}
