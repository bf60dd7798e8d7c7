"""What `${authresults` says of the connection and of the sender: iprev, auth, spf (Exim 11.5, RFC 8601 §2.7)."""

from __future__ import annotations

from pillarbox.flow.facets.authentication import SpfFacts
from pillarbox.flow.facets.session import SessionFacts
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.items.authresults import authentication_method
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Origin
from pillarbox.mail.taint import Tainted


@authentication_method("iprev")
def iprev(scope: Scope) -> str:
    origin, session = scope.facet(Origin), scope.facet(SessionFacts)
    if origin is None or not origin.host_address:
        return ""
    if origin.host_name:
        result = f"pass ({origin.host_name})"
    elif session is not None and session.host_lookup_deferred:
        result = "temperror"
    elif session is not None and session.host_lookup_failed:
        result = "fail"
    else:
        return ""
    return Tainted(f"iprev={result} smtp.remote-ip={origin.host_address}")


@authentication_method("auth")
def auth(scope: Scope) -> str:
    origin, facts = scope.facet(Origin), scope.facet(MessageFacts)
    if origin is None or not origin.authenticator:
        return ""
    mechanism = origin.mechanism or origin.authenticator
    sender = facts.auth_sender if facts is not None else ""
    vouched = f" smtp.mailfrom={sender}" if sender else ""
    if origin.authenticated_id:
        return Tainted(f"auth=pass ({mechanism}) smtp.auth={origin.authenticated_id}{vouched}")
    return Tainted(f"auth=pass ({mechanism}, no id saved){vouched}")


@authentication_method("spf")
def spf(scope: Scope) -> str:
    facts = scope.facet(SpfFacts)
    if facts is None or not facts.result:
        return ""
    guess = " (best guess record for domain)" if facts.result_guessed else ""
    return Tainted(f"spf={facts.result}{guess} smtp.{facts.identity}={facts.used_domain}")
