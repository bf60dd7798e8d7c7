"""The program's surroundings and the languages it can call (Exim chapters 12 and 14)."""

from __future__ import annotations

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.kinds import Words


class Environment(MainOptions):
    """The environment, and other languages."""

    keep_environment: Words | None = option(
        default=None, doc="Environment variables to keep; all others are dropped."
    )
    add_environment: Words | None = option(default=None, doc="Environment variables to set: name=value.")
    python_modules: Words | None = option(
        default=None, doc="Python files whose functions ${python…} may call.", extension=True
    )
    perl_startup: str | None = option(
        default=None, doc="Perl to run at start; there is no Perl here, see python_modules.", inert="noted"
    )
    perl_at_start: bool = option(default=False, doc="Start Perl early.", inert="noted")
    perl_taintmode: bool = option(default=False, doc="Start Perl with -T.", inert="noted")
    strict_acl_vars: bool = option(default=False, doc="Using an ACL variable that was never set is an error.")
