"""Debian's own configuration (kind "internet site", Maildirs in home directories), run by Exim and by Pillarbox alike.

The machine has a hundred UNIX users more, each message is delivered as one of them. Changed from what `update-exim4.conf` makes
is only what the load needs, the same as for `exim`: see `exim.py`.
"""

import grp
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bench.servers.exim import Exim, EximSpool
from bench.servers.server import DOMAIN, PROJECT, UNIX_ID, USERS, Unavailable, make_folder, need_root
from bench.servers.server import USER_IDS as IDS

ANSWERS = """\
dc_eximconfig_configtype='internet'
dc_other_hostnames='{domain}'
dc_local_interfaces='127.0.0.1'
dc_readhost=''
dc_relay_domains=''
dc_minimaldns='false'
dc_relay_nets=''
dc_smarthost=''
CFILEMODE='644'
dc_use_split_config='false'
dc_hide_mailname='true'
dc_mailname_in_oh='true'
dc_localdelivery='{delivery}'
"""
ADDED = """\
primary_hostname = mail.{domain}
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/daemon.pid
smtp_accept_max = {connections}
smtp_connect_backlog = 200
smtp_accept_queue_per_connection = 0
disable_ipv6 = true
tls_advertise_hosts =
"""


class Debian(EximSpool):
    """Debian's configuration; the subclass says who runs it."""

    @property
    def unix_users(self) -> Mapping[str, Path]:  # type: ignore[override]
        return {f"user{number}": self.maildir_root / f"user{number}" for number in range(USERS)}

    @property
    def maildir_root(self) -> Path:
        return self.folder / "home"

    @property
    def delivery(self) -> str:
        """`maildir_home`, or `mail_spool`: mbox files in one directory, as /var/mail."""
        return self.setup.options.get("delivery", "maildir_home")

    @property
    def mail_spool(self) -> Path:
        return self.folder / "mail"

    @property
    def configuration(self) -> Path:
        return self.folder / "etc/exim4/exim4.conf"

    def configure(self) -> None:
        """Exim trusts only the configuration at its usual place, which is laid over /etc."""
        if self.setup.sink_port:
            raise Unavailable(f"{self.name} relays nothing")
        for name in ("spool", "log"):
            make_folder(self.folder / name, IDS["Debian-exim"], 0o750)
        for number, home in enumerate(self.unix_users.values(), UNIX_ID):
            make_folder(home, number, 0o750)
        make_folder(self.mail_spool, 0, 0o2775, grp.getgrnam("mail").gr_gid)
        self.configuration.parent.mkdir(parents=True)
        for name in ("aliases", "email-addresses"):
            (self.folder / "etc" / name).touch()
        self.configuration.write_text(self.adapted(self.generated()))
        self.configuration.chmod(0o644)

    def generated(self) -> str:
        """What the package's own script makes of its template."""
        root = Path(Exim.program()).parents[2]
        shutil.copytree(root / "etc/exim4", self.folder / "exim4")
        (self.folder / "mailname").write_text(f"{DOMAIN}\n")
        (self.folder / "exim4/update-exim4.conf.conf").write_text(
            ANSWERS.format(domain=DOMAIN, delivery=self.delivery)
        )
        script = (root / "usr/sbin/update-exim4.conf").read_text()
        (self.folder / "update").write_text(script.replace("/etc/mailname", str(self.folder / "mailname")))
        made = self.folder / "generated.conf"
        subprocess.run(
            ["sh", str(self.folder / "update"), "-d", str(self.folder / "exim4"), "-o", str(made)],
            check=True,
            capture_output=True,
            timeout=30,
        )
        return made.read_text()

    def adapted(self, text: str) -> str:
        text = text.replace("/etc/exim4", str(self.folder / "exim4"))
        text = re.sub(r"/var/mail/(\S+)", rf"{self.mail_spool}/\1", text)
        text = text.replace("/var/spool/exim4", str(self.folder / "spool"))
        text = re.sub(r"^host_lookup *=.*$", "host_lookup =", text, flags=re.MULTILINE)
        added = ADDED.format(domain=DOMAIN, folder=self.folder, connections=self.setup.connections)
        return f"{added}{text}"

    def list_queue(self) -> list[str]:
        return [self.command()[0], "-bp"]


class DebianExim(Debian):
    name = "exim-debian"
    share = Exim.share

    @classmethod
    def version(cls) -> str:
        return f"{Exim.version()} with Debian's configuration"

    @property
    def program(self) -> Path:
        """A copy that is set-uid root, as Debian installs it: Exim starts itself again for each delivery."""
        return self.folder / "exim4-daemon"

    def configure(self) -> None:
        super().configure()
        shutil.copy(Exim.program(), self.program)
        self.program.chmod(0o4755)

    def adapted(self, text: str) -> str:
        adapted = super().adapted(text)
        return re.sub(r"^exim_path *=.*$", f"exim_path = {self.program}", adapted, flags=re.MULTILINE)

    def command(self) -> list[str]:
        return [str(self.program), "-bdf", "-q30m", "-oX", str(self.port)]


class DebianPillarbox(Debian):
    name = "pillarbox-debian"

    @classmethod
    def version(cls) -> str:
        need_root("pillarbox-debian")
        return f"Pillarbox with Debian's configuration, {os.cpu_count()} workers"

    def command(self) -> list[str]:
        program = str(PROJECT / ".venv/bin/exim")
        return [program, "-bdf", "-q30m", "-oX", str(self.port)]
