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

    __slots__ = (
        "first_id",
        "first_only",
        "force",
        "force_frozen",
        "interval",
        "is_regular_recipient",
        "is_regular_sender",
        "is_two_stage",
        "is_wanted",
        "last_id",
        "local_only",
        "name",
        "named",
        "recipient",
        "sender",
    )

    def __init__(self) -> None:
        self.is_wanted = False
        """One run, now."""
        self.interval = ""
        """`30m` of `-q30m`: runs of a daemon."""
        self.is_two_stage = False
        self.first_only = False
        self.force = False
        self.force_frozen = False
        self.local_only = False
        self.name = ""
        """`-qG<name>`."""
        self.named: list[tuple[str, str, str]] = []
        """Flags, name and time of each `-q<flags>G<name>/<time>`."""
        self.recipient = ""
        self.is_regular_recipient = False
        """`-Rr`: the text is a regular expression."""
        self.sender = ""
        self.is_regular_sender = False
        self.first_id = ""
        self.last_id = ""


class Arguments:
    """The command line, read."""

    def __init__(
        self,
        program: str,
        *,
        words: Sequence[str] = (),
        config: str | None = None,
        data: str | None = None,
    ) -> None:
        self.program = program
        self.mode = ""
        """A key of `modes.MODES`; empty: none was chosen, which means `submit` where there is anything to submit."""
        self.mode_option = ""
        """The option that chose it, for error texts."""
        self.words: list[str] = list(words)
        self.config = config
        self.data = data
        self.macros: dict[str, str] = {}
        # The message
        self.sender: str | None = None
        """`-f`; empty: the null sender."""
        self.full_name: str | None = None
        self.dot_ends = True
        self.extract = False
        self.delivery = ""
        """`b`, `i`, `q` or `qs` of `-od…`; empty: as the configuration has it."""
        self.errors_to_stderr = ""
        """`-oe…`: `e`, `m`, `p`, `q`, `w`."""
        self.about: dict[str, str] = {}
        """`-oM…` by its letters: `a` host address, `s` host name, `r` protocol, `t` ident, `i` interface, `aa` authenticator, `ai` id,
        `as` sender, `m` message reference."""
        self.notify: tuple[str, ...] = ()
        """`-oDSN N=…`: as NOTIFY has them, in capitals."""
        self.ret = ""
        """`-oDSN R=…`: `FULL` or `HDRS`."""
        self.envid = ""
        """`-oDSN V=…`."""
        self.keeps_unqualified = False
        """`-bnq`."""
        self.suppresses_fixups = False
        """`-G`."""
        self.receive_timeout = ""
        """`-or`."""
        self.smtp_receive_timeout = ""
        """`-os`."""
        self.is_verbose = False
        self.is_dry = False
        """`-N`: no transport runs."""
        self.debug: str | None = None
        """`-d`: the selectors behind it."""
        # Modes with values of their own
        self.queue = QueueWish()
        self.listing_order = ""
        """Letters behind `-bp`."""
        self.destination_queue = ""
        """`-MG`."""
        self.message: str | None = None
        """The file of `-bem`."""
        self.loaded_id: str | None = None
        """`-Mset`: the message that `-be` loads."""
        self.host_test = ""
        """`-bh`, `-bhc`: the address."""
        self.user_filter: str | None = None
        self.system_filter: str | None = None
        self.filter_recipient: dict[str, str] = {}
        """`-bfd`, `-bfl`, `-bfp`, `-bfs` by their last letter."""
        self.alias_file = ""
        """`-oA`."""
        self.listen_ports = ""
        """`-oX`."""
        self.pid_file = ""
        """`-oP`."""
        self.is_tls_on_connect = False
        """`-tls-on-connect`: TLS from the start on every SMTP port."""
        self.idle_end = ""
        """`1h` of `-bw1h`: the time without a connection after which the daemon ends."""
        self.log_line: str | None = None
        """`-X`, `-L`, `-z` and their like."""
        self.syslog_name = ""
        """`-L`."""
        self.without_names = False
        """`-n` with `-bP`: values alone."""
        self.test_ages = ""
        """`-Tqt`: message ages, slash-separated, with EXIM_TEST_HARNESS=1 only."""
        self.topic = ""
        """What `-bI:` asks for."""
