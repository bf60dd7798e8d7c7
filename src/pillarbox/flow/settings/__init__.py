"""Main options by concern (Exim chapter 14): one file a concern, one class for those that are read together.

What only one stage reads may be declared beside that stage. Types, defaults and names are Exim's; `extension=True` marks Pillarbox's own.
Options that expand are templates. Lists of ports, interfaces and servers stay text in Exim's list syntax.
"""

from pillarbox.flow.settings.bounces import Bounces
from pillarbox.flow.settings.content import Content
from pillarbox.flow.settings.dns import Dns
from pillarbox.flow.settings.environment import Environment
from pillarbox.flow.settings.expansions import ExpansionLimits
from pillarbox.flow.settings.files import Files, Logging
from pillarbox.flow.settings.identity import Identity, Trust
from pillarbox.flow.settings.limits import SmtpLimits
from pillarbox.flow.settings.listening import Listening, port_list
from pillarbox.flow.settings.local_mail import LocalMail
from pillarbox.flow.settings.logins import Logins
from pillarbox.flow.settings.lookups import LookupSources
from pillarbox.flow.settings.queueing import Queueing
from pillarbox.flow.settings.service import AclNames, SmtpService
from pillarbox.flow.settings.tls import Tls

__all__ = [
    "AclNames",
    "Bounces",
    "Content",
    "Dns",
    "Environment",
    "ExpansionLimits",
    "Files",
    "Identity",
    "Listening",
    "LocalMail",
    "Logging",
    "Logins",
    "LookupSources",
    "Queueing",
    "SmtpLimits",
    "SmtpService",
    "Tls",
    "Trust",
    "port_list",
]
