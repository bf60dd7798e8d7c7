"""Debian's Postfix as shipped, in its own folders: virtual(8) delivers into Maildirs, smtp(8) relays to the sink.

`master` is started directly: postfix-script would check and repair a system-wide installation. Differences from the
shipped main.cf and master.cf: own folders, no chroot, no TLS, and it logs through postlogd(8) into a file, since the
others write log files too; `--set postfix.log=syslog` leaves that to the machine's syslog, whose CPU is then nobody's.
"""

import os
import subprocess
import time
from pathlib import Path

from bench.servers.server import (
    DOMAIN,
    MAIL_ID,
    RELAY_DOMAIN,
    USER_IDS,
    USERS,
    Server,
    Unavailable,
    make_folder,
    need_root,
    prepared_peer,
)

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {root}/etc/postfix
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.{domain}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
biff = no
append_dot_mydomain = no
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/users.map
virtual_uid_maps = static:{mail_id}
virtual_gid_maps = static:{mail_id}
relay_domains = {relay_domain}
transport_maps = inline:{{ {relay_domain}=relay:[127.0.0.1]:{sink_port} }}
default_transport = smtp
defer_transports = smtp
relayhost =
default_process_limit = {processes}
{log}
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

QUEUES = "active bounce corrupt defer deferred flush hold incoming private saved trace"


class Postfix(Server):
    """master(8) and its daemons."""

    name = "postfix"

    @classmethod
    def version(cls) -> str:
        need_root("postfix")
        command = [str(prepared_peer("postfix") / "usr/sbin/postconf"), "-d", "-h", "mail_version"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return "Postfix " + (done.stdout.strip().splitlines() or ["?"])[-1]

    @property
    def root(self) -> Path:
        return prepared_peer("postfix")

    @property
    def maildir_root(self) -> Path:
        return self.folder / "mail"

    def configure(self) -> None:
        postfix, postdrop = USER_IDS["postfix"], USER_IDS["postdrop"]
        for name in ("queue", "etc", "log"):
            make_folder(self.folder / name, 0, 0o755)
        for name in QUEUES.split():
            make_folder(self.folder / "queue" / name, postfix)
        make_folder(self.folder / "queue/pid", 0, 0o755)
        make_folder(self.folder / "queue/maildrop", postfix, 0o730, group=postdrop)
        make_folder(self.folder / "queue/public", postfix, 0o710, group=postdrop)
        make_folder(self.folder / "data", postfix)
        make_folder(self.maildir_root, MAIL_ID)
        users = "".join(f"user{n}@{DOMAIN} user{n}/\n" for n in range(USERS))
        (self.folder / "users.map").write_text(users)
        (self.folder / "etc/main.cf").write_text(self.main_cf())
        (self.folder / "etc/master.cf").write_text(MASTER.format(port=self.port))
        (self.folder / "etc/dynamicmaps.cf").write_text("")

    def main_cf(self) -> str:
        to_file = self.setup.options.get("log", "file") != "syslog"
        log = (
            f"maillog_file = {self.folder}/log/maillog\nmaillog_file_prefixes = {self.folder}"
            if to_file
            else ""
        )
        return MAIN.format(
            folder=self.folder,
            root=self.root,
            domain=DOMAIN,
            relay_domain=RELAY_DOMAIN,
            mail_id=MAIL_ID,
            sink_port=self.setup.sink_port or 9,
            processes=max(100, self.setup.connections if self.setup.connections > 200 else 0),
            log=log,
        )

    def command(self) -> list[str]:
        return [str(self.root / "usr/lib/postfix/sbin/master"), "-c", str(self.folder / "etc"), "-d"]

    def fill_queue(self, count: int, *, is_due: bool = False) -> None:
        """Copies of one real deferred message, next tried in an hour; their names only need to be hexadecimal and different."""
        if is_due:
            raise Unavailable("no due messages are written for Postfix")
        sample = self.defer_one()
        text = sample.read_bytes()
        deferred = self.folder / "queue/deferred"
        owner = USER_IDS["postfix"]
        later = time.time() + 3600
        for digit in "0123456789ABCDEF":
            make_folder(deferred / digit, owner)
        for number in range(count):
            name = f"{(number * 7919) % 1048576:05X}{number:08X}"  # hashed by its first digit, as hash_queue_depth = 1 wants
            handle = os.open(deferred / name[0] / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
            os.write(handle, text)
            os.fchown(handle, owner, owner)
            os.utime(handle, (later, later))
            os.close(handle)

    def defer_one(self) -> Path:
        """Have Postfix itself write one message it cannot deliver, then stop it again."""
        self.start()
        program = str(self.root / "usr/sbin/smtp-source")
        recipient = ["-t", "somebody@nowhere.invalid", "-f", f"user1@{DOMAIN}"]
        sent = self.spawn([program, "-l", "200", *recipient, f"127.0.0.1:{self.port}"])
        sent.communicate(timeout=30)
        deadline = time.monotonic() + 20
        found: list[Path] = []
        while not found and time.monotonic() < deadline:
            time.sleep(0.1)
            found = [path for path in (self.folder / "queue/deferred").rglob("*") if path.is_file()]
        self.end()
        if not found:
            raise Unavailable(f"postfix did not defer a message: {self.last_words()}")
        return found[0]

    def list_queue(self) -> list[str]:
        return [str(self.root / "usr/sbin/postqueue"), "-c", str(self.folder / "etc"), "-p"]
