"""Debian's Exim: exim4-daemon-light with a policy like the stock configuration's, delivering into virtual users' Maildirs.

Run with -C from root: the daemon keeps its privilege, and what it re-executes for a delivery runs as Debian-exim, who
owns the Maildirs; the re-execution itself (fork, exec, read the configuration) happens as in production. Changed from
stock only what the load needs: smtp_accept_max and smtp_connect_backlog (20 each), smtp_accept_queue_per_connection (10
would leave reused connections' mail lying until a queue run), no TLS offered, no look-up of the client's name, which would
measure this machine's DNS server.
"""

import subprocess
import time
from pathlib import Path

from bench.servers.server import DOMAIN, USERS, Server, make_folder, need_root, prepared_peer
from bench.servers.server import USER_IDS as IDS
from bench.spoolfiles import write_spool

CONFIGURATION = """
primary_hostname = mail.{domain}
exim_path = {program}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
local_interfaces = <; 127.0.0.1
tls_advertise_hosts =
keep_environment =
smtp_accept_max = {connections}
smtp_connect_backlog = 200
smtp_accept_queue_per_connection = 0
host_lookup =
disable_ipv6 = true
ignore_bounce_errors_after = 2d
timeout_frozen_after = 7d
domainlist local_domains = {domain}
domainlist relay_to_domains = relay.example
hostlist relay_from_hosts = 127.0.0.1
acl_smtp_rcpt = acl_check_rcpt
acl_smtp_data = acl_check_data

begin acl
acl_check_rcpt:
  deny    message = Restricted characters in address
          domains = +local_domains
          local_parts = ^[.] : ^.*[@%!/|]
  accept  local_parts = postmaster
          domains = +local_domains
  require verify = sender
  accept  hosts = +relay_from_hosts
          verify = recipient
          control = submission
  require message = relay not permitted
          domains = +local_domains : +relay_to_domains
  require verify = recipient
  accept
acl_check_data:
  deny    message = maximum allowed line length is 998 octets
          condition = ${{if > {{$max_received_linelength}}{{998}}}}
  accept

begin routers
relay:
  driver = manualroute
  domains = +relay_to_domains
  transport = remote_smtp
  route_list = * 127.0.0.1
  self = send
virtual_user:
  driver = accept
  domains = +local_domains
  local_parts = lsearch;{folder}/users.list
  transport = maildir

begin transports
remote_smtp:
  driver = smtp
  port = {sink_port}
  hosts_try_auth =
maildir:
  driver = appendfile
  user = Debian-exim
  group = Debian-exim
  directory = {folder}/mail/${{lookup{{$local_part}}lsearch{{{folder}/users.list}}}}
  maildir_format
  create_directory
  delivery_date_add
  envelope_to_add
  return_path_add

begin retry
*  *  F,2h,15m; G,16h,1h,1.5; F,4d,6h
"""


class EximSpool(Server):
    """Whose queue is in Exim's format, below its folder."""

    def fill_queue(self, count: int, *, is_due: bool = False) -> None:
        """Frozen, unless they are to be due: no queue run may start on a hundred thousand deliveries while something else is measured."""
        write_spool(
            self.folder / "spool",
            count,
            owner=IDS["Debian-exim"],
            now=time.time(),
            user="Debian-exim",
            is_due=is_due,
        )


class Exim(EximSpool):
    """exim -bd, one process per connection and per delivery."""

    name = "exim"
    share = 0.34

    @classmethod
    def version(cls) -> str:
        need_root("exim")
        text = subprocess.run(
            [cls.program(), "-C", "/dev/null", "-bV"], capture_output=True, text=True, check=False
        ).stdout  # fmt: skip
        return "Exim " + text.split()[2] if text.startswith("Exim version") else "Exim"

    @staticmethod
    def program() -> str:
        return str(prepared_peer("exim") / "usr/sbin/exim4")

    @property
    def maildir_root(self) -> Path:
        return self.folder / "mail"

    def configure(self) -> None:
        owner = IDS["Debian-exim"]
        for name in ("spool", "log", "mail"):
            make_folder(self.folder / name, owner, 0o750)
        users = "".join(f"user{n}: user{n}\n" for n in range(USERS))
        (self.folder / "users.list").write_text(users)
        text = CONFIGURATION.format(
            domain=DOMAIN,
            program=self.program(),
            folder=self.folder,
            connections=self.setup.connections,
            sink_port=self.setup.sink_port or 9,
        )
        (self.folder / "exim.conf").write_text(text)

    def command(self) -> list[str]:
        daemon = [self.program(), "-C", str(self.folder / "exim.conf"), "-bdf", "-q30m"]
        return [*daemon, "-oX", str(self.port)]

    def list_queue(self) -> list[str]:
        return [self.program(), "-C", str(self.folder / "exim.conf"), "-bp"]
