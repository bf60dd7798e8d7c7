"""What the configuration says about waiting and queue runs, made ready for the flow."""

from __future__ import annotations

from pillarbox.config.kinds import parse_integer
from pillarbox.config.model import Config
from pillarbox.flow.accept.wait_rules import WaitRules
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.main_action import MainAction
from pillarbox.flow.queue.runner import FrozenRules, Order, RunnerLimits
from pillarbox.flow.settings import Queueing, SmtpLimits
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.match.items import split
from pillarbox.ports.journal import Journal

_PER_CONNECTION = "smtp_accept_queue_per_connection"
"""Its default, 10, is for those who start a process for each message; we do what it says where it is set."""


def wait_rules(config: Config, *, is_local_only: bool = False) -> WaitRules | None:
    """None when no option but `queue_only` makes mail wait. `is_local_only`: `-odqs`."""
    queueing, limits = config.main(Queueing), config.main(SmtpLimits)
    messages = limits.smtp_accept_queue_per_connection if _is_set(config, _PER_CONNECTION) else 0
    files = tuple(text for text, _ in split(queueing.queue_only_file or ""))
    if not (
        files or is_local_only or queueing.queue_only_load is not None or messages or limits.smtp_accept_queue
    ):
        return None
    return WaitRules(
        files=files,
        load=queueing.queue_only_load,
        latches=queueing.queue_only_load_latch,
        connections=limits.smtp_accept_queue,
        messages=messages,
        is_local_only=is_local_only,
    )


def _is_set(config: Config, name: str) -> bool:
    return any(raw.name == name for raw in config.raw.main)


USUAL_PARALLEL = 20
MOST_PARALLEL = 10_000
"""Where there is no limit."""


def parallel_of(config: Config, services: Services, queue: str = "") -> int:
    """`queue_run_max`: as many queue runners of Exim have as many messages under way. Raises ConfigError."""
    template = config.main(Queueing).queue_run_max
    if template is None or not _is_set(config, "queue_run_max"):
        return USUAL_PARALLEL
    facts = MessageFacts()
    facts.queue = queue
    text = template.expand_now(Scope({MessageFacts: facts}, services)).strip()
    return min(parse_integer(text or "0"), MOST_PARALLEL) or MOST_PARALLEL


def runner_limits(config: Config, services: Services, interval: float, *, is_alone: bool) -> RunnerLimits:
    """A command takes one message after the other, as Exim does."""
    queueing = config.main(Queueing)
    is_reversed = (queueing.queue_run_order or "").startswith("newest") and not queueing.queue_run_in_order
    return RunnerLimits(
        interval=interval,
        parallel=1 if is_alone else parallel_of(config, services),
        order=Order(is_reversed=is_reversed),
        load_max=queueing.deliver_queue_load_max,
    )


def frozen_rules(config: Config) -> FrozenRules:
    queueing = config.main(Queueing)
    return FrozenRules(
        ignore_bounce_errors_after=queueing.ignore_bounce_errors_after,
        timeout_frozen_after=queueing.timeout_frozen_after,
        auto_thaw=queueing.auto_thaw,
    )


def main_action(config: Config, services: Services, journal: Journal) -> MainAction | None:
    """None without an `event_action` of the main section."""
    action = config.main(Queueing).event_action
    return None if action is None else MainAction(action, services, journal)
