"""Waiting, warning and giving up (Exim chapters 14, 32 and 49)."""

from __future__ import annotations

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.kinds import Duration, Durations, ExpandedInteger, FixedPoint, Group, User, Words
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList

_LONGEST_INTERVAL = 86400.0


class Queueing(MainOptions):
    """Waiting, warning and giving up."""

    queue_only: bool = option(default=False, doc="Accept without delivering at once.")
    queue_only_file: Words | None = option(
        default=None,
        doc="Files whose existence means queue_only; with smtp in front: only remote deliveries wait.",
    )
    queue_only_load: FixedPoint | None = option(
        default=None, doc="Above this load of the machine, queue without delivering."
    )
    queue_only_load_latch: bool = option(default=True, doc="Keep to it for the rest of the connection.")
    deliver_queue_load_max: FixedPoint | None = option(
        default=None, doc="Above this load of the machine, queue runs stop."
    )
    queue_run_max: ExpandedInteger | None = option(
        default="5",
        doc="Messages that queue runs of the daemon try at once, in each of its workers; unset: 20, 0: any number. Expanded for each queue.",
    )
    queue_run_in_order: bool = option(default=False, doc="Go through the queue by age, as is done anyway.")
    queue_run_order: str | None = option(
        default=None, doc="Order of a queue run: newest, or oldest for every other value."
    )
    queue_fast_ramp: bool = option(
        default=True,
        doc="Deliver at once what shares a host, in runs of two passes: not needed, connections are shared.",
        inert="noted",
    )
    queue_run_interval: Duration = option(
        default="30m", doc="Time between queue runs without -q on the command line; 0: none.", extension=True
    )
    remote_max_parallel: int = option(default=6, doc="Remote deliveries of one message at once.")
    remote_sort_domains: DomainList | None = option(
        default=None, doc="Domains in the order in which they are delivered to."
    )
    delay_warning: Durations = option(default="24h", doc="Warn the sender after these times; 0s: never.")
    delay_warning_condition: Template | None = option(
        default=(
            "${if or {{ !eq{$h_list-id:$h_list-post:$h_list-subscribe:}{} }"
            "{ match{$h_precedence:}{(?i)bulk|list|junk} }"
            "{ match{$h_auto-submitted:}{(?i)auto-generated|auto-replied} }} {no}{yes}}"
        ),
        doc="Warn only when this is true.",
    )
    ignore_bounce_errors_after: Duration = option(default="10w", doc="Drop frozen bounces after this long.")
    timeout_frozen_after: Duration = option(
        default="0s", doc="Remove any frozen message after this long; 0: never."
    )
    auto_thaw: Duration = option(default="0s", doc="Try frozen messages again after this long; 0: never.")
    move_frozen_messages: bool = option(
        default=False, doc="Move frozen messages to Finput, out of the queue."
    )
    freeze_tell: Words | None = option(default=None, doc="Who hears of a message that was frozen.")
    retry_interval_max: Duration = option(default="24h", doc="Longest time between two attempts.")
    retry_data_expire: Duration = option(default="7d", doc="Forget retry hints after this long.")
    hold_domains: DomainList | None = option(default=None, doc="Domains whose mail is held.")
    queue_domains: DomainList | None = option(default=None, doc="Domains not delivered to at once.")
    queue_smtp_domains: DomainList | None = option(
        default=None, doc="Remote domains not delivered to at once."
    )
    callout_domain_positive_expire: Duration = option(
        default="7d", doc="Believe for so long that a domain answers callouts."
    )
    callout_domain_negative_expire: Duration = option(
        default="3h", doc="Believe for so long that a domain refuses callouts."
    )
    callout_positive_expire: Duration = option(
        default="24h", doc="Believe for so long that an address exists."
    )
    callout_negative_expire: Duration = option(
        default="2h", doc="Believe for so long that an address does not exist."
    )
    callout_random_local_part: Template | None = option(
        default="$primary_hostname-$tod_epoch-testing",
        doc="Local part that cannot exist, to see whether a host takes any.",
    )
    event_action: Template | None = option(
        default=None,
        doc="Expanded when a message ends (`msg:complete`) and when an address fails without a transport (`msg:fail:internal`).",
    )
    system_filter: Template | None = option(
        default=None, doc="Filter for every message, before it is routed."
    )
    system_filter_directory_transport: Template | None = option(
        default=None, doc="Transport for directories that the system filter names."
    )
    system_filter_file_transport: Template | None = option(
        default=None, doc="Transport for files that it names."
    )
    system_filter_pipe_transport: Template | None = option(
        default=None, doc="Transport for commands that it names."
    )
    system_filter_reply_transport: Template | None = option(
        default=None, doc="Transport for replies that it makes."
    )
    system_filter_user: User | None = option(default=None, doc="User that it runs as.")
    system_filter_group: Group | None = option(default=None, doc="Group that it runs with.")

    def __post_init__(self) -> None:
        object.__setattr__(self, "remote_max_parallel", max(1, self.remote_max_parallel))
        object.__setattr__(self, "retry_interval_max", min(self.retry_interval_max, _LONGEST_INTERVAL))
