"""A small PostgreSQL client: log in, send a text of statements, read what comes back as text.

Our own, because Exim's lookups give the server's text form of every value, take several statements in one string and show libpq's error
texts; the simple query protocol has all that, and the drivers for Python do not speak it.

    messages    the wire format
    login       trust, password, MD5, SCRAM-SHA-256
    connection  connecting and asking
    errors      error texts as libpq writes them

PostgreSQL documentation, chapter "Frontend/Backend Protocol", version 3.0. Known gaps: no Kerberos, no client certificates, `PG…`
environment variables and service files are not read.
"""
