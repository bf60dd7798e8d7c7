"""The trace field that every message gets in front (RFC 5321 §4.4).

Where `received_header_text` is not set, each message has the same pieces in the same order, so they are put together without an
expansion. What is out of the ordinary (a message without a host, TLS, characters beyond ASCII) is expanded all the same.
"""

from __future__ import annotations

from pillarbox import __version__
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.settings import Logging, SmtpService
from pillarbox.flow.variables.connection import sender_rcvhost
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.match.host_names import ClientName
from pillarbox.language.match.local_host import LocalHost
from pillarbox.mail.date import format_date
from pillarbox.mail.envelope import Origin

_NONE = Template.parse("")
_USUAL_LOGGING = Logging()
_NO_CLIENT = ClientName()


class UsualReceived(Template):
    """`received_header_text` as it is by default."""

    __slots__ = ("_expand",)

    def __init__(self, template: Template) -> None:
        super().__init__(template.source, template.node)
        self._expand = template.expand_now
        self.expand_now = self._write

    def _write(self, scope: Scope) -> str:
        origin, facts, host = scope.facet(Origin), scope.facet(MessageFacts), scope.facet(LocalHost)
        if origin is None or facts is None or host is None or not origin.host_address or origin.tls_cipher:
            return self._expand(scope)
        sender = f"(envelope-from <{facts.sender}>)\n\t" if facts.sender else ""
        protocol = f"with {origin.protocol} " if origin.protocol else ""
        recipient = f"\n\tfor {facts.received_for}" if facts.received_for else ""
        text = (
            f"Received: from {sender_rcvhost(origin, scope.facet(Logging) or _USUAL_LOGGING, _NO_CLIENT)}\n\t"
            f"by {host.primary_hostname} {protocol}(Pillarbox {__version__})\n\t{sender}id {facts.id}{recipient}"
        )
        return text if text.isascii() else self._expand(scope)


def received_header(wanted: Template | None) -> Template:
    """What writes the field: `received_header_text`, in the quickest way. Unset: nothing."""
    if wanted is None:
        return _NONE
    usual = SmtpService.options()["received_header_text"].default
    return UsualReceived(wanted) if wanted.source == usual else wanted


def add_received(text: str, now: float) -> bytes:
    """`text`: the expanded `received_header_text`, its lines divided by newlines; the time stamp is put behind."""
    return f"{text};\n\t{format_date(now)}\n".encode("utf-8", "replace")
