"""Who lives in the town where ACLs are compared: its DNS and its mail servers.

Domains of callouts are named for what their server does: it is at 10.0.0.N, and a table says which commands it answers how.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.dkim_messages import zone

SERVERS: Mapping[str, Mapping[str, str]] = {
    "good": {},
    "norcpt": {"RCPT TO:<BAD@": "550 no such user here", "RCPT TO:<SLOW@": "450 try again later"},
    "nonull": {"MAIL FROM:<>": "553 no null senders please"},
    "nohelo": {"EHLO": "550 go away", "HELO": "550 go away too"},
    "banner": {"": "554 no service for you"},
    "busy": {"": "421 too busy"},
    "nopost": {"RCPT TO:<POSTMASTER@": "550 no postmaster"},
    "barepost": {"RCPT TO:<POSTMASTER@": "550 no postmaster here"},
    "strict": {"RCPT TO:": "550-first line of refusal\n550 second line", "RCPT TO:<GOOD@": "250 fine"},
    "closes": {"RCPT TO:": "(close)"},
    "mailtemp": {"MAIL FROM:": "451 mail later"},
}
ADDRESSES = {name: f"10.0.0.{number}" for number, name in enumerate(SERVERS, 31)}
SCANNERS = {
    "10.0.0.60:3310": "clamd",
    "10.0.0.60:3311": "clamd local",
    "10.0.0.60:783": "spamd",
    "10.0.0.60:784": "spamd 30.25",
    "10.0.0.60:785": "spamd -70",
    "10.0.0.60:786": "says nonsense",
    "10.0.0.60:787": "says SPAMD/1.1 0 EX_OK\\r\\n\\r\\n",
    "10.0.0.60:6001": "sock",
}
PEERS: Mapping[str, Mapping[str, str]] = {
    **{ADDRESSES[name]: table for name, table in SERVERS.items()},
    **{address: {"speaks": words} for address, words in SCANNERS.items()},
}
ZONE = (
    "".join(f"{name}.test MX 10 mx.{name}.test\nmx.{name}.test A {ADDRESSES[name]}\n" for name in SERVERS)
    + """\
x.test MX 10 mx.x.test
mx.x.test A 10.0.0.25
dead.test MX 10 mx.dead.test
mx.dead.test A 10.0.0.99
broken.test SERVFAIL
two.test MX 10 mx.dead.test
two.test MX 20 mx.good.test
null.test MX 0 .
client.test A 192.0.2.1
1.2.0.192.in-addr.arpa PTR client.test
other.test A 192.0.2.2
2.2.0.192.in-addr.arpa PTR liar.test
9.2.0.192.in-addr.arpa SERVFAIL
nine.test A 192.0.2.9
liar.test A 192.0.2.77
1.2.0.192.bl.test A 127.0.0.2
1.2.0.192.bl.test TXT "see bl.test"
1.2.0.192.two.bl.test A 127.0.0.3
1.2.0.192.two.bl.test A 127.0.0.4
1.2.0.192.odd.bl.test A 10.1.2.3
1.2.0.192.fail.bl.test SERVFAIL
x.test.dom.bl.test A 127.0.0.5
x.test.dom.bl.test TXT "bad domain"
1.2.0.192.cname.bl.test CNAME real.bl.test
real.bl.test A 127.0.0.6
real.bl.test TXT "cname text"
1.2.0.192.many.bl.test A 127.0.0.2
1.2.0.192.many.bl.test TXT "first text"
1.2.0.192.many.bl.test TXT "second text"
x_y.wild.bl.test A 127.0.0.2
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test A 127.0.0.8
1.2.0.192.bl_x.test A 127.0.0.2
1.2.0.192.mix.bl.test A 127.0.0.2
1.2.0.192.mix.bl.test A 10.1.2.3
_client._smtp.ipcsa.test SRV 1 2 0 192.0.2.1
_client._smtp.multi.test SRV 1 2 0 other.test
_client._smtp.multi.test SRV 1 2 0 client.test
_client._smtp.six.test SRV 1 2 0 six.test
six.test AAAA 2001:db8::1
_client._smtp.three.test SRV 1 3 0 client.test
_client._smtp.zero.test SRV 1 0 0 client.test
_client._smtp.two.test2 SRV 2 2 0 client.test
_client._smtp.above.test SRV 1 2 1 client.test
_client._smtp.notabove.test SRV 1 2 0 client.test
_client._smtp.both.test SRV 2 2 0 client.test
_client._smtp.both.test SRV 1 1 0 client.test
_client._smtp.gone.test SRV 1 2 0 gone.nowhere.test
_client._smtp.late.test SRV 1 2 0 x.broken.test
x.broken.test SERVFAIL
_client._smtp.silent.test SERVFAIL
_client._smtp.dot.test SRV 1 2 0 .
_client._smtp.1.2.0.192.in-addr.arpa SRV 1 2 0 client.test
_client._smtp.0.192.in-addr.arpa SRV 1 2 1 client.test
_client._smtp.x.above.test TXT "there"
_client._smtp.y.x.above.test TXT "there"
_client._smtp.a.b.c.d.e.above.test TXT "there"
_client._smtp.a.b.c.d.e.f.above.test TXT "there"
_client._smtp.x.silent.test TXT "there"
_client._smtp.x.notabove.test TXT "there"
_client._smtp.2.2.0.192.in-addr.arpa TXT "there"
_client._smtp.csa.test SRV 1 2 0 client.test
_client._smtp.nocsa.test SRV 1 1 0 client.test
"""
    + zone()
    + """\
pass.spf.test TXT "v=spf1 ip4:192.0.2.1 -all"
fail.spf.test TXT "v=spf1 ip4:192.0.2.9 -all"
soft.spf.test TXT "v=spf1 ~all"
neutral.spf.test TXT "v=spf1 ?all"
empty.spf.test TXT "v=spf1"
none.spf.test TXT "something else"
none.spf.test A 192.0.2.77
bad.spf.test TXT "v=spf1 nonsense:x -all"
two.spf.test TXT "v=spf1 -all"
two.spf.test TXT "v=spf1 +all"
redirect.spf.test TXT "v=spf1 redirect=pass.spf.test"
include.spf.test TXT "v=spf1 include:fail.spf.test include:pass.spf.test -all"
mech.spf.test TXT "v=spf1 a:client.test mx exists:%{i}.none.test -all"
explained.spf.test TXT "v=spf1 -all exp=why.spf.test"
why.spf.test TXT "%{i} may not send for %{d}"
guess.spf.test MX 10 client.test
six.spf.test TXT "v=spf1 ip6:2001:db8::/32 -all"
"""
)


def differ(theirs: list[str], ours: list[str]) -> bool:
    return theirs != ours
