"""A session of few words for the engines' tests: accepts what is not called `refused`, and remembers what happened."""

from __future__ import annotations

from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.client import Answer, ClientEngine
from pillarbox.wire.smtp.events import (
    Auth,
    AuthCancelled,
    AuthResponse,
    Closed,
    Data,
    DataChunk,
    DataEnd,
    DataRefused,
    Event,
    Helo,
    Mail,
    Need,
    ProtocolError,
    Quit,
    Rcpt,
    StartTls,
)
from pillarbox.wire.smtp.extensions import Extensions
from pillarbox.wire.smtp.server import ServerEngine
from pillarbox.wire.smtp.session import ServerSettings

OFFER = Extensions(
    pipelining=True,
    size=1000000,
    eightbitmime=True,
    smtputf8=True,
    chunking=True,
    enhanced_status_codes=True,
    dsn=True,
    starttls=True,
    auth=("PLAIN", "LOGIN"),
    help=True,
)
SETTINGS = ServerSettings(offer=OFFER)
LMTP = ServerSettings(offer=OFFER, lmtp=True)

OK = Reply(250, "OK", "2.0.0")


class ScriptedSession:
    """Drives one server engine; `messages` are those replied to with 250."""

    def __init__(self, settings: ServerSettings = SETTINGS, *, is_tls: bool = False) -> None:
        self.engine = ServerEngine(settings, is_tls=is_tls)
        self.lmtp = settings.lmtp
        self.events: list[Event] = []
        self.messages: list[bytes] = []
        self._parts: list[bytes] = []
        self._recipients: list[str] = []

    def greet(self) -> bytes:
        self.engine.greet(Reply(220, "mx.test ESMTP"))
        return self.engine.outgoing()

    def feed(self, data: bytes) -> bytes:
        self.engine.receive(data)
        return self.run()

    def run(self) -> bytes:
        while not isinstance(event := self.engine.next_event(), Need):
            if isinstance(event, Closed):
                break
            self.events.append(event)
            self._handle(event)
        return self.engine.outgoing()

    def _handle(self, event: Event) -> None:
        engine = self.engine
        match event:
            case Helo(name=name):
                engine.ehlo_reply(f"mx.test Hello {name}")
            case Mail(sender=sender):
                self._recipients = []
                is_refused = (sender or "").startswith("refused")
                engine.reply(Reply(550, "not you", "5.7.1") if is_refused else OK)
            case Rcpt(address=address):
                is_refused = address.startswith("refused")
                if not is_refused:
                    self._recipients.append(address)
                engine.reply(Reply(550, "no such user", "5.1.1") if is_refused else OK)
            case Data():
                self._parts = []
                is_refused = any(address.startswith("nodata") for address in self._recipients)
                engine.reply(Reply(451, "not now", "4.7.1") if is_refused else Reply(354, "go on"))
            case DataChunk(data=data):
                self._parts.append(data)
            case DataEnd(data=data):
                self.messages.append(b"".join([*self._parts, data]))
                for address in self._recipients if self.lmtp else [""]:
                    engine.reply(Reply(250, f"delivered {address}".strip(), "2.0.0"))
            case Auth() | AuthResponse():
                self._log_in(event)
            case StartTls():
                engine.reply(Reply(220, "TLS go ahead", "2.0.0"))
            case Quit():
                engine.reply(Reply(221, "bye", "2.0.0"))
            case ProtocolError() | DataRefused() | AuthCancelled():
                pass
            case _:
                engine.reply(OK)

    def _log_in(self, event: Auth | AuthResponse) -> None:
        match event:
            case Auth(problem=problem, refusal=refusal) if problem is not None and refusal is not None:
                self.engine.refuse(problem, refusal)
            case Auth(initial=None):
                self.engine.challenge(b"")
            case Auth(initial=data) | AuthResponse(data=data):
                is_right = data == b"\0user\0pass"
                self.engine.reply(Reply(235, "welcome", "2.7.0") if is_right else Reply(535, "no", "5.7.8"))


def play(script: str, settings: ServerSettings = SETTINGS) -> ScriptedSession:
    """Run a conversation: `C:` lines are sent together up to the next `S:` lines, which must be the whole answer (blanks at their
    ends aside).

    `\\r`, `\\n`, `\\0` and `\\xNN` in a C line mean those bytes; `C!` sends no CRLF. `S: <closed>` closes a block.
    """
    session = ScriptedSession(settings)
    pending, out = b"", session.greet()
    for number, line in enumerate(script.strip("\n").splitlines(), 1):
        kind, _, text = line.partition(" ")
        if kind in ("C:", "C!"):
            assert not out, f"line {number}: the server also said {out!r}"
            pending += text.encode().decode("unicode_escape").encode("latin-1") + (
                b"\r\n" if kind == "C:" else b""
            )
            continue
        if pending:
            out, pending = session.feed(pending), b""
        if text == "<closed>":
            assert session.engine.is_closed, f"line {number}: still open"
            continue
        said, _, out = out.partition(b"\r\n")
        assert said.decode().rstrip() == text, f"line {number}"
    if pending:
        out = session.feed(pending)
    assert not out, f"at the end the server also said {out!r}"
    return session


def connect(client: ClientEngine, session: ScriptedSession) -> list[Answer]:
    """Let both engines talk until the client is idle; its answers."""
    answers: list[Answer] = []
    while True:
        while isinstance(answer := client.next_answer(), Answer):
            answers.append(answer)
        out = client.outgoing()
        if not out:
            assert client.is_idle, "both wait"
            return answers
        client.receive(session.feed(out))


def start(settings: ServerSettings = SETTINGS, **options: bool) -> tuple[ClientEngine, ScriptedSession]:
    """A client and a server that have said hello."""
    client, session = ClientEngine(lmtp=settings.lmtp, **options), ScriptedSession(settings)
    client.receive(session.greet())
    client.send(Helo("client.test", is_esmtp=True))
    assert [answer.reply.code for answer in connect(client, session)] == [220, 250]
    return client, session
