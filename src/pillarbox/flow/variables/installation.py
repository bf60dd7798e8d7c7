"""Variables about the running program, the machine and its disks (Exim 11.9)."""

from __future__ import annotations

import grp
import os
import pwd
import time
from pathlib import Path

import pillarbox
from pillarbox.flow.facets.installation import Installation
from pillarbox.flow.settings import Bounces, Files, Identity
from pillarbox.flow.variables.fields import Field, declare, declare_fixed
from pillarbox.language.expand.registry import variable
from pillarbox.language.expand.scope import Services

_KILOBYTE = 1024

declare(
    Installation,
    [
        Field("config_file", "config_file", "The configuration in use."),
        Field("initial_cwd", "initial_cwd", "Directory in which the program was started."),
        Field("queue_size", "queue_size", "Messages in the queue; empty while nobody has counted them."),
    ],
)
declare_fixed("compile_number", "1", "Always 1: nothing is compiled.")


@variable("config_dir", Installation, doc="Directory of $config_file.", tainted=False)
def config_dir(installation: Installation) -> str:
    return installation.config_file.rpartition("/")[0]


@variable("compile_date", Services, doc="When this program was installed.", tainted=False)
def compile_date(services: Services) -> str:
    built = Path(pillarbox.__file__).stat().st_mtime
    return time.strftime("%d-%b-%Y %H:%M:%S", time.localtime(built))


def _version(identity: Identity) -> str:
    return identity.exim_version


for _name in ("exim_version", "version_number"):
    variable(_name, Identity, doc="Version of Exim that we speak, or what exim_version says.", tainted=False)(
        _version
    )


@variable(
    "localhost_number",
    Identity,
    doc="The option; 0 where it is not a plain number.",
    tainted=False,
    absent="0",
)
def localhost_number(identity: Identity) -> str:
    template = identity.localhost_number
    return (template.node.constant if template is not None else None) or "0"


@variable("exim_path", Identity, doc="Where the program lies.", tainted=False)
def exim_path(identity: Identity) -> str:
    return identity.exim_path


@variable("exim_uid", Identity, doc="User id that the server runs as.", tainted=False)
def exim_uid(identity: Identity) -> str:
    try:
        return str(pwd.getpwnam(identity.exim_user).pw_uid)
    except KeyError:
        return identity.exim_user if identity.exim_user.isdigit() else str(os.geteuid())


@variable("exim_gid", Identity, doc="Group id that the server runs as.", tainted=False)
def exim_gid(identity: Identity) -> str:
    try:
        return str(grp.getgrnam(identity.exim_group).gr_gid)
    except KeyError:
        return identity.exim_group if identity.exim_group.isdigit() else str(os.getegid())


@variable("bounce_return_size_limit", Bounces, doc="Bytes of a message that go back.", tainted=False)
def bounce_return_size_limit(bounces: Bounces) -> str:
    return str(bounces.bounce_return_size_limit)


@variable("return_size_limit", Bounces, doc="Older name of $bounce_return_size_limit.", tainted=False)
def return_size_limit(bounces: Bounces) -> str:
    return str(bounces.bounce_return_size_limit)


@variable("load_average", Services, doc="The machine's load of one minute, times 1000.", tainted=False)
def load_average(services: Services) -> str:
    return str(int(os.getloadavg()[0] * 1000))


@variable("spool_space", Files, doc="Free kilobytes where the spool is; -1 unknown.", tainted=False)
def spool_space(files: Files) -> str:
    return _free_kilobytes(files.spool_directory)


@variable("spool_inodes", Files, doc="Free inodes where the spool is; -1 unknown.", tainted=False)
def spool_inodes(files: Files) -> str:
    return _free_inodes(files.spool_directory)


@variable("log_space", Files, doc="Free kilobytes where the log is; -1 unknown.", tainted=False)
def log_space(files: Files) -> str:
    return _free_kilobytes(_log_directory(files))


@variable("log_inodes", Files, doc="Free inodes where the log is; -1 unknown.", tainted=False)
def log_inodes(files: Files) -> str:
    return _free_inodes(_log_directory(files))


def _log_directory(files: Files) -> str:
    directory = files.log_file_path.rpartition("/")[0]
    return directory if directory.startswith("/") else files.spool_directory


def _free_kilobytes(directory: str) -> str:
    try:
        found = os.statvfs(directory)
    except OSError:
        return "-1"
    return str(found.f_bavail * found.f_frsize // _KILOBYTE)


def _free_inodes(directory: str) -> str:
    try:
        return str(os.statvfs(directory).f_favail)
    except OSError:
        return "-1"
