"""`-bP`, ours and the real one's, to the byte: `show/*.conf`, each asked everything.

Left out: options that only one of the two has, because Debian's Exim is built without them or because they are Pillarbox's own, and values
that say where the program was installed and which it is.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

from pillarbox.app.asking.printing import print_configuration
from pillarbox.app.configuration import declare_all
from pillarbox.config.declare import Driver, main_options

pytestmark = pytest.mark.oracle

_FOLDER = Path(__file__).parent / "show"
_QUESTIONS = (
    "",
    "all",
    "routers",
    "transports",
    "authenticators",
    "router_list transport_list authenticator_list",
    "config",
    "macro FOO macro AB macro NONE",
    "+local_domains +relay +a +none",
    "router r1 transport t2 router none",
    "transport t1 qualify_domain no_queue_only none",
    "config_file configure_file environment",
    "environment A",
    "config_file log_selector none",
    "macro_list",
)
_INSTALLED = frozenset(
    [
        "exim_group",
        "exim_path",
        "exim_version",
        "log_file_path",
        "pid_file_path",
        "process_log_path",
        "received_header_text",
        "smtp_banner",
        "spool_directory",
    ]
)
_NOT_IN_DEBIAN = frozenset(["acl_smtp_dkim", "translate_ip_address"])
_NOT_IN_TRANSPORTS = frozenset(["no_gnutls_compat_mode", ""])
_PREFIXES = (
    "dkim_",
    "dmarc_",
    "ldap_",
    "ibase_",
    "oracle_",
    "redis_",
    "mysql_",
    "pgsql_",
    "sqlite_",
    "spf_",
    "dcc",
    "bmi_",
)
"""Main options of what Debian's Exim loads as modules, or does not have."""


@pytest.mark.parametrize("with_names", [True, False], ids=["names", "values"])
@pytest.mark.parametrize("question", _QUESTIONS, ids=lambda text: text.replace(" ", "-") or "main")
@pytest.mark.parametrize("name", sorted(file.name for file in _FOLDER.glob("*.conf")))
def test_prints_what_exim_prints(
    exim: str, name: str, question: str, with_names: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if not with_names and question.partition(" ")[0] in ("", "all", "routers", "transports", "router"):
        pytest.skip("without names, ours and theirs cannot be told apart")
    path = _FOLDER / name
    flags = [] if with_names else ["-n"]
    run = subprocess.run(
        [exim, *flags, "-C", str(path), "-bP", *question.split()],
        capture_output=True,
        check=False,
        timeout=20,
    )
    code = print_configuration(path, question.split(), with_names=with_names)
    ours, _ = capsys.readouterr()
    left_out = _NOT_IN_TRANSPORTS if "transport" in question else frozenset[str]()
    assert _kept(ours, left_out) == _kept(run.stdout.decode(), left_out)
    assert code == run.returncode


def _kept(shown: str, left_out: frozenset[str]) -> list[str]:
    lines = [line for line in shown.splitlines() if not _is_left_out(line)]
    return [line for line in lines if line not in left_out]


def _is_left_out(line: str) -> bool:
    name = line.partition(" ")[0].removeprefix("no_")
    if line.startswith(("*", "# Exim Configuration", "_")):
        return True
    return (
        name in _INSTALLED or name in _NOT_IN_DEBIAN or name.startswith(_PREFIXES) or name in _own_options()
    )


@cache
def _own_options() -> frozenset[str]:
    declare_all()
    drivers = [driver for family in Driver.families.values() for driver in family.registry.values()]
    options = [option for driver in drivers for option in driver.options().values()]
    options += [option for _, option in main_options().values()]
    return frozenset(option.name for option in options if option.extension)
