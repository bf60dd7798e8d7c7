"""Debian's own Exim configuration in each of its set-up kinds, made by the `update-exim4.conf` of an unpacked exim4-config."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from bench.servers.server import PEERS

KINDS = ("internet", "smarthost", "satellite", "local", "none")
MISSING = "no exim4-config here: unpack one with tools/peers exim-current"


def find_configurations() -> list[Path]:
    """The roots of unpacked packages that hold one."""
    return [
        root
        for root in sorted(PEERS.glob("*/root"))
        if (root / "etc/exim4/exim4.conf.template").exists()
        and (root / "usr/sbin/update-exim4.conf").exists()
    ]


def make(root: Path, folder: Path, kind: str, *, is_split: bool) -> Path:
    """`folder/exim.conf`, with its helper files in `folder/exim4`, for a machine called mail.example.org."""
    shutil.copytree(root / "etc/exim4", folder / "exim4")
    (folder / "mailname").write_text("example.org\n")
    (folder / "exim4/update-exim4.conf.conf").write_text(_answers(kind, is_split=is_split))
    script = (root / "usr/sbin/update-exim4.conf").read_text()
    (folder / "update").write_text(script.replace("/etc/mailname", str(folder / "mailname")))
    made = folder / "exim.conf"
    subprocess.run(
        ["sh", str(folder / "update"), "-d", str(folder / "exim4"), "-o", str(made)],
        check=True,
        capture_output=True,
        timeout=30,
    )
    text = made.read_text().replace("/etc/exim4", str(folder / "exim4"))
    text = text.replace("/var/spool/exim4", str(folder / "spool"))
    text = re.sub(r"^log_file_path *=.*$", f"log_file_path = {folder}/log-%slog", text, flags=re.MULTILINE)
    made.write_text(f"primary_hostname = mail.example.org\n{text}")
    made.chmod(0o644)
    (folder / "spool").mkdir()
    return made


def _answers(kind: str, *, is_split: bool) -> str:
    return f"""\
dc_eximconfig_configtype='{kind}'
dc_other_hostnames='example.org : lists.example.org'
dc_local_interfaces='127.0.0.1 ; ::1'
dc_readhost='example.org'
dc_relay_domains='relayed.example : *.relayed.example'
dc_minimaldns='false'
dc_relay_nets='192.0.2.0/24 ; 2001:db8::/32'
dc_smarthost='smart.example.net::587'
CFILEMODE='644'
dc_use_split_config='{"true" if is_split else "false"}'
dc_hide_mailname='true'
dc_mailname_in_oh='true'
dc_localdelivery='maildir_home'
"""
