"""Data sources of lookups (Exim chapter 9): servers, and how to reach them. Lists are in Exim's list syntax and not expanded."""

from __future__ import annotations

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.kinds import Duration, Words


class LookupSources(MainOptions):
    """Where lookups find their data."""

    lookup_open_max: int = option(default=25, doc="Files that lookups keep open at once.")
    mysql_servers: Words = option(default="", doc="MySQL or MariaDB servers: host/database/user/password.")
    pgsql_servers: Words = option(default="", doc="PostgreSQL servers, likewise.")
    redis_servers: Words = option(default="", doc="Redis servers: host/database/password.")
    oracle_servers: Words = option(
        default="", doc="Oracle servers; there is no driver for them.", inert="noted"
    )
    ibase_servers: Words = option(
        default="", doc="InterBase servers; there is no driver for them.", inert="noted"
    )
    sqlite_dbfile: str = option(default="", doc="SQLite file for queries that name none.")
    sqlite_lock_timeout: Duration = option(default="5s", doc="Wait so long for a locked SQLite file.")
    ldap_default_servers: Words = option(default="", doc="LDAP servers for queries that name none.")
    ldap_ca_cert_dir: str = option(default="", doc="Directory of authorities trusted for LDAP servers.")
    ldap_ca_cert_file: str = option(default="", doc="File of authorities trusted for LDAP servers.")
    ldap_cert_file: str = option(default="", doc="Our certificate for LDAP servers.")
    ldap_cert_key: str = option(default="", doc="Its key.")
    ldap_cipher_suite: str = option(default="", doc="Ciphers allowed with LDAP servers.")
    ldap_require_cert: str = option(
        default="",
        doc="Whether an LDAP server must show a good certificate: hard, demand, allow, try or never.",
    )
    ldap_start_tls: bool = option(default=False, doc="Start TLS on connections to LDAP servers.")
    ldap_version: int = option(default=-1, doc="Version of LDAP; -1: the library's choice.")
    spf_guess: str = option(
        default="v=spf1 a/24 mx/24 ptr ?all",
        doc="What to take for the SPF record of a domain without one, for spf_guess.",
    )
    spf_smtp_comment_template: str = option(
        default="Please%_see%_http://www.open-spf.org/Why", doc="Explanation of an SPF failure."
    )
