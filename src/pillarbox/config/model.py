"""The configuration as the program uses it: one frozen value, made at load and replaced whole by a reload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from pillarbox.config.declare import Driver, MainOptions
from pillarbox.config.errors import Problem
from pillarbox.config.raw import Raw
from pillarbox.language.match.named import NamedLists
from pillarbox.language.retry.rules import RetryRules
from pillarbox.language.rewrite.rules import RewriteRules

M = TypeVar("M", bound=MainOptions)


class Config:
    """Drivers carry their own names; `routers` keeps the order of the file, which is the order of routing."""

    __slots__ = (
        "_main",
        "acls",
        "authenticators",
        "late",
        "mistakes",
        "named",
        "notes",
        "raw",
        "retry",
        "rewrite",
        "routers",
        "transports",
        "unsupported",
    )

    def __init__(
        self,
        *,
        main: Mapping[type[MainOptions], MainOptions],
        routers: tuple[Driver, ...] = (),
        transports: Mapping[str, Driver] | None = None,
        authenticators: tuple[Driver, ...] = (),
        acls: Mapping[str, Any] | None = None,
        retry: RetryRules | None = None,
        rewrite: RewriteRules | None = None,
        named: NamedLists | None = None,
        raw: Raw | None = None,
        notes: tuple[Problem, ...] = (),
        unsupported: tuple[Problem, ...] = (),
        mistakes: tuple[Problem, ...] = (),
        late: tuple[Problem, ...] = (),
    ) -> None:
        self._main = dict(main)
        self.routers: tuple[Any, ...] = routers
        """Instances of `flow.route.router.Router`."""
        self.transports: Mapping[str, Any] = dict(transports or {})
        """Instances of `flow.transport.transport.Transport` by name."""
        self.authenticators: tuple[Any, ...] = authenticators
        self.acls: Mapping[str, Any] = dict(acls or {})
        """What the ACL compiler made, by name."""
        self.retry = retry or RetryRules(())
        self.rewrite = rewrite or RewriteRules(())
        self.named = named or NamedLists()
        self.notes = notes
        """Not wrong, but worth knowing: options that have no effect yet."""
        self.unsupported = unsupported
        """What stands in the way of serving, not of asking: what we do not act on though it matters."""
        self.mistakes = mistakes
        """The same for what is named but not there, which Exim finds out when mail comes."""
        self.late = late
        """What is wrong in ACLs and is said when mail comes, as by Exim: in the way of neither."""
        self.raw = raw or Raw()
        """As it was written: for `-bP` and explanations."""

    def main(self, settings: type[M]) -> M:
        """The main options declared by `settings`; defaults when the configuration was built without that class."""
        found = self._main.get(settings)
        if found is None:
            found = self._main[settings] = settings()
        return cast(M, found)

    def change_main(self, settings: type[M], **values: object) -> None:
        """What the command line says of main options, by the names of their fields."""
        present = self.main(settings)
        kept = {one.place: getattr(present, one.place) for one in settings.options().values()}
        self._main[settings] = settings(**{**kept, **values})

    @property
    def main_facets(self) -> dict[type, object]:
        """Facets that every scope should have: the main options, which variables read, and the named lists."""
        return {**self._main, NamedLists: self.named}
