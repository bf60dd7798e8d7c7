"""autoreply: send a message in answer to a message (Exim chapter 27). Declared; it does not run yet."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.config.kinds import Octal
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.outcomes import defer_all
from pillarbox.flow.transport.services import TransportServices
from pillarbox.flow.transport.transport import Transport
from pillarbox.language.expand.template import Template
from pillarbox.language.match.addresses import AddressList
from pillarbox.mail.outcome import Outcome
from pillarbox.mail.reply import Reason


class Autoreply(Transport, driver="autoreply", inert="refused"):
    """Write back."""

    bcc: Template | None = option(default=None, doc="Addresses for Bcc:.")
    cc: Template | None = option(default=None, doc="Addresses for Cc:.")
    file: Template | None = option(default=None, doc="A file that holds the text.")
    file_expand: bool = option(default=False, doc="Expand each of its lines.")
    file_optional: bool = option(default=False, doc="It need not be there.")
    from_address: Template | None = option(default=None, name="from", doc="The From: of the answer.")
    headers: Template | None = option(default=None, doc="More header lines.")
    log: Template | None = option(default=None, doc="A file in which answers are logged.")
    mode: Octal = option(default=0o600, doc="Permissions of the files that it makes.")
    never_mail: AddressList | None = option(default=None, doc="Addresses never to write to.")
    once: Template | None = option(default=None, doc="A file that remembers who was written to.")
    once_file_size: int = option(
        default=0, doc="How large it may become, as a ring; 0: a database that grows."
    )
    once_repeat: Template | None = option(default=None, doc="Write again after this time; 0s: never.")
    reply_to: Template | None = option(default=None, doc="The Reply-To: of the answer.")
    return_message: bool = option(default=False, doc="Put the message behind the answer.")
    subject: Template | None = option(default=None, doc="The Subject: of the answer.")
    text: Template | None = option(default=None, doc="The text.")
    to: Template | None = option(default=None, doc="Addresses for To:.")

    async def deliver(self, job: Job, services: TransportServices) -> list[Outcome]:
        return defer_all(job, Reason(f"{self.name} transport: the driver autoreply cannot run yet"))
