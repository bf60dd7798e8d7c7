"""queryprogram: ask a command where an address goes (Exim chapter 21). Declared; it does not run yet."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import Duration, ExpandedGroup, ExpandedUser
from pillarbox.config.logins import main_group_of
from pillarbox.flow.route.result import RouteResult
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.template import Template


class QueryProgram(Router, driver="queryprogram", inert="refused"):
    """Route by what a command prints."""

    command: Template | None = option(default=None, doc="The command and its arguments, expanded one by one.")
    command_group: ExpandedGroup | None = option(
        default=None, doc="Group that it runs with; unset: the main group of a fixed user."
    )
    command_user: ExpandedUser | None = option(default=None, doc="User that it runs as.")
    current_directory: str = option(default="/", doc="Directory in which it runs.")
    timeout: Duration = option(default="1h", doc="Stop it after this long.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.command is None:
            raise OptionError("a command specification is required", "command")
        if self.command_user is None:
            raise OptionError("command_user must be specified", "command_user")
        if self.command_group is None and self.command_user.is_constant:
            group = main_group_of(self.command_user.source)
            object.__setattr__(self, "command_group", Template.parse(group) if group else None)

    async def route(self, visit: Visit) -> RouteResult:
        return self.postpone(visit, f"{self.name} router: the driver queryprogram cannot run yet")
