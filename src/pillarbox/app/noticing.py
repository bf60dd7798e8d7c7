"""What the configuration says about bounces and warnings, made ready for the queue."""

from __future__ import annotations

from pillarbox.config.model import Config
from pillarbox.flow.queue.wording import Choice, parse_copies
from pillarbox.flow.settings import Bounces, Identity, Queueing


def notice_choice(config: Config) -> Choice:
    """Raises ListSyntaxError, ExpandSyntaxError: `errors_copy` is no good."""
    bounces = config.main(Bounces)
    copies = bounces.errors_copy
    return Choice(
        bounce_file=bounces.bounce_message_file,
        warning_file=bounces.warn_message_file,
        condition=config.main(Queueing).delay_warning_condition,
        copies=parse_copies(copies.source, config.named) if copies is not None else (),
    )


def told_of_freezing(config: Config) -> tuple[str, ...]:
    """`freeze_tell` as whole addresses."""
    domain = config.main(Identity).recipient_domain
    words = (config.main(Queueing).freeze_tell or "").replace(",", " ").split()
    return tuple(word if "@" in word else f"{word}@{domain}" for word in words)
