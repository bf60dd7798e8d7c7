"""Variables about routing, delivering, bouncing and warning that no candidate or assignment holds (Exim 11.9)."""

from __future__ import annotations

from pillarbox.flow.facets.delivering import (
    ArrivalFacts,
    BounceFacts,
    DeliveryFacts,
    EventFacts,
    RoutingFacts,
)
from pillarbox.flow.facets.session import TlsOutFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.variables.fields import Field, declare
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.references import PLAINLY
from pillarbox.language.expand.registry import variable

declare(
    RoutingFacts,
    [
        Field("local_part_prefix_v", "local_part_prefix_v", "The variable part of the prefix.", True),
        Field("local_part_suffix_v", "local_part_suffix_v", "The variable part of the suffix.", True),
        Field("local_user_uid", "local_user_uid", "The user that check_local_user found."),
        Field("local_user_gid", "local_user_gid", "That user's group."),
        Field(
            "lookup_dnssec_authenticated",
            "lookup_dnssec_authenticated",
            "Whether DNSSEC vouches for the last DNS lookup: yes, no, or nothing.",
        ),
    ],
)
declare(
    DeliveryFacts,
    [
        Field("headers_added", "headers_added", "Header lines that ACLs have added."),
        Field("inode", "inode", "Of the file being delivered to."),
        Field("mailstore_basename", "mailstore_basename", "Of the files that mailstore format writes."),
        Field("return_path", "return_path", "The return path that goes with this delivery.", True),
        Field("sending_ip_address", "sending_ip_address", "Our address of the outgoing connection."),
        Field("sending_port", "sending_port", "Our port of the outgoing connection."),
        Field("thisaddress", "thisaddress", "In a filter's foranyaddress: the address in hand."),
    ],
)
declare(
    BounceFacts,
    [
        Field("bounce_recipient", "bounce_recipient", "Who is told of a failure.", True),
        Field("warn_message_delay", "warn_message_delay", "How long the message has waited, in words."),
        Field("warnmsg_delay", "warn_message_delay", "Older name of $warn_message_delay."),
        Field("warn_message_recipients", "warn_message_recipients", "Whom the message waits for.", True),
        Field("warnmsg_recipients", "warn_message_recipients", "Older name of the same.", True),
        Field("warn_message_recipient", "warn_message_recipients", "Older name of the same.", True),
        Field("warnmsg_recipient", "warn_message_recipients", "Older name of the same.", True),
    ],
)
declare(
    EventFacts,
    [
        Field("event_name", "name", "The event that an event_action is run for."),
        Field("event_data", "data", "What the event tells; it depends on the event.", True),
        Field("event_defer_errno", "defer_errno", "The error number of a deferral."),
    ],
)
declare(
    ArrivalFacts,
    [
        Field("originator_uid", "originator_uid", "User id of the process that handed in the message."),
        Field("originator_gid", "originator_gid", "Group id of that process."),
        Field("local_scan_data", "local_scan_data", "What local_scan() has returned.", True),
    ],
)
declare(
    TlsOutFacts,
    [
        Field("tls_out_bits", "bits", "Bits of the outgoing session's cipher."),
        Field("tls_out_certificate_verified", "certificate_verified", "1: the server's certificate is good."),
        Field("tls_out_cipher_std", "cipher_std", "Standard name of the outgoing cipher suite."),
        Field("tls_out_dane", "dane", "Whether DANE vouched for the server."),
        Field("tls_out_ocsp", "ocsp", "0 to 4: what became of OCSP stapling."),
        Field("tls_out_peerdn", "peerdn", "Distinguished name of the server's certificate.", True),
        Field("tls_out_resumption", "resumption", "Bits that tell how the session was resumed."),
        Field("tls_out_sni", "sni", "The name we asked the server for."),
        Field("tls_out_tlsa_usage", "tlsa_usage", "A bit for each usage of the TLSA records."),
        Field("tls_out_ver", "ver", "TLS version of the outgoing session."),
    ],
)


@variable("self_hostname", Candidate, doc="Our own name that a router's host lookup led to.")
def self_hostname(candidate: Candidate) -> str:
    return candidate.self_hostname


@variable(
    "message_age",
    MessageFacts,
    doc="Seconds since the message came, when this delivery began.",
    tainted=False,
    absent="0",
)
def message_age(facts: MessageFacts) -> str:
    return str(facts.age)


@variable(
    "message_smtputf8", MessageFacts, doc="Whether the message needs SMTPUTF8.", tainted=False, absent="no"
)
def message_smtputf8(facts: MessageFacts) -> str:
    return "yes" if facts.is_smtputf8 else "no"


@variable("queue_name", MessageFacts, doc="The named queue that the message is in.", tainted=False)
def queue_name(facts: MessageFacts) -> str:
    return facts.queue


@variable("pipe_addresses", DeliveryFacts, doc="In pipe commands: all recipients of the delivery.")
def pipe_addresses(facts: DeliveryFacts) -> str:
    """Only as an argument of its own, or in a command for a shell (Exim 29.3)."""
    if not facts.names_addresses:
        raise ExpansionFailed(PLAINLY.format("pipe_addresses"))
    return " ".join(facts.recipients)


@variable(
    "recipients", MessageFacts, doc="Envelope recipients, divided by comma and space; in ACLs after the data."
)
def recipients_so_far(facts: MessageFacts) -> str:
    return ", ".join(each.address for each in facts.recipients) if facts.message is not None else ""


@variable("recipients", ArrivalFacts, doc="Envelope recipients, divided by comma and space.", rank=1)
def recipients(facts: ArrivalFacts) -> str:
    return ", ".join(facts.recipients)


@variable(
    "recipients_list",
    MessageFacts,
    doc="Envelope recipients as a list; colons in them are doubled. In ACLs after the data.",
)
def recipients_list_so_far(facts: MessageFacts) -> str:
    if facts.message is None:
        return ""
    return ":".join(each.address.replace(":", "::") for each in facts.recipients)


@variable(
    "recipients_list", ArrivalFacts, doc="Envelope recipients as a list; colons in them are doubled.", rank=1
)
def recipients_list(facts: ArrivalFacts) -> str:
    return ":".join(address.replace(":", "::") for address in facts.recipients)
