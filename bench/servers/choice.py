"""The servers by name. Add one: a file beside this with a `Server`, and a line here."""

from bench.servers.debian import DebianExim, DebianPillarbox
from bench.servers.exim import Exim
from bench.servers.pillarbox import Pillarbox
from bench.servers.postfix import Postfix
from bench.servers.server import Server

SERVERS: dict[str, type[Server]] = {
    server.name: server for server in (Pillarbox, Postfix, Exim, DebianPillarbox, DebianExim)
}
