"""`hosts` (Exim 44.17): the sending host is in the list; an empty item is a message that did not come by TCP/IP."""

from __future__ import annotations

from pillarbox.flow.check.acl.list_condition import ListCondition
from pillarbox.flow.check.acl.state import AclState
from pillarbox.language.match.hosts import HostList, HostSubject


class Hosts(ListCondition[HostSubject], condition="hosts"):
    __slots__ = ()
    list_kind = HostList
    keeps_data = "host"

    def subject(self, state: AclState) -> HostSubject:
        connection = state.connection
        return HostSubject(connection.host_address, lambda: connection.host_name or None)
