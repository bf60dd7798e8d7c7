"""Who we are, who our users are and whom we trust (Exim chapter 14; 5.2 for what trust gives)."""

from __future__ import annotations

import re

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import Group, Groups, User, Users, Words
from pillarbox.config.machine_name import machine_name
from pillarbox.config.numbers import parse_integer
from pillarbox.flow.facets.installation import EXIM_VERSION
from pillarbox.language.expand.template import Template
from pillarbox.language.match.addresses import AddressList

_INTEGER = re.compile(r"\s*[+-]?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)", re.ASCII)
_MOST_HOSTS = 16


class Identity(MainOptions):
    """Who we are, and as whom we run."""

    primary_hostname: str = option(
        default_factory=machine_name,
        doc="Our full name; unset: the machine's own, which the resolver completes where it is one word.",
    )
    qualify_domain: str = option(
        default="", doc="Domain added to unqualified senders; unset: primary_hostname."
    )
    qualify_recipient: str = option(
        default="", doc="Domain added to unqualified recipients; unset: qualify_domain."
    )
    smtp_active_hostname: Template | None = option(default=None, doc="Our name in SMTP sessions.")
    localhost_number: Template | None = option(
        default=None,
        doc="Number of this machine among those that share a spool and a name. Not a part of message ids: these are unique without.",
        inert="noted",
    )
    exim_user: User = option(default="", doc="User to become when started by root.")
    exim_group: Group = option(default="", doc="Group to become when started by root.")
    exim_path: str = option(
        default="/usr/sbin/exim4", doc="Where the program lies, for those that start it again.", inert="noted"
    )
    exim_version: str = option(
        default=EXIM_VERSION, doc="Version number to show in place of that of the Exim we speak."
    )
    deliver_drop_privilege: bool = option(
        default=False, doc="Route and deliver as the mail user alone, although root started it."
    )
    never_users: Users | None = option(default=None, doc="Users that no delivery may run as, besides root.")
    mua_wrapper: bool = option(
        default=False,
        doc="Be a mere sending program: deliver each message to one smarthost at once, or say why not.",
    )

    def __post_init__(self) -> None:
        number = self.localhost_number.node.constant if self.localhost_number is not None else None
        if number is not None and number.strip():
            if _INTEGER.fullmatch(number) is None:
                raise OptionError(f"localhost_number value is not a number: {number}")
            if parse_integer(number, bits=63) > _MOST_HOSTS:
                raise OptionError("localhost_number is greater than the maximum allowed value (16)")

    @property
    def sender_domain(self) -> str:
        return self.qualify_domain or self.primary_hostname

    @property
    def recipient_domain(self) -> str:
        return self.qualify_recipient or self.sender_domain


class Trust(MainOptions):
    """Whom we trust, and what local users may say about themselves."""

    trusted_users: Users = option(default=(), doc="Users that may set senders freely.")
    trusted_groups: Groups | None = option(default=None, doc="Groups whose members may set senders freely.")
    admin_groups: Groups | None = option(default=None, doc="Groups whose members may administer the queue.")
    untrusted_set_sender: AddressList | None = option(
        default=None, doc="Senders that any local user may set."
    )
    local_from_check: bool = option(
        default=True,
        doc="Compare From: of local messages with the login name, and add Sender: when they differ.",
    )
    local_from_prefix: Words | None = option(
        default=None, doc="Prefixes of From: that the comparison passes over."
    )
    local_from_suffix: Words | None = option(
        default=None, doc="Suffixes of From: that the comparison passes over."
    )
    local_sender_retain: bool = option(default=False, doc="Keep a Sender: that a local user wrote.")
    commandline_checks_require_admin: bool = option(
        default=False, doc="Leave -be, -bt, -bv and their like to administrators."
    )
    prod_requires_admin: bool = option(default=True, doc="Leave queue runs and -M to administrators.")
    queue_list_requires_admin: bool = option(
        default=True, doc="Leave listing of others' mail to administrators."
    )
    queue_only_override: bool = option(default=True, doc="Let the command line override queue_only.")
    gecos_name: Template | None = option(default=None, doc="What gecos_pattern makes of a user's full name.")
    gecos_pattern: str | None = option(
        default=None, doc="Which part of the password file's comment is the full name."
    )
    unknown_login: Template | None = option(
        default=None, doc="Login name for users that the machine does not know."
    )
    unknown_username: str | None = option(
        default=None, doc="Full name for users that the machine does not know."
    )
    max_username_length: int = option(default=0, doc="Longest login name worth looking up; 0: any.")
    finduser_retries: int = option(
        default=0, doc="How often to look up a login name again that was not found.", inert="noted"
    )

    def __post_init__(self) -> None:
        if self.local_from_check and self.local_sender_retain:
            raise OptionError(
                "both local_from_check and local_sender_retain are set; this combination is not allowed"
            )
