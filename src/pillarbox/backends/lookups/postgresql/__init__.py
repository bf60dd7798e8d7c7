"""Asking a PostgreSQL server by libpq, through psycopg's thin binding of it.

libpq's own calls rather than psycopg's connections: Exim's lookups give the server's text form of every value, take several statements in
one string and show libpq's error texts. So logging in, encryption, `PG…` environment variables, password and service files are libpq's.

    connection  connecting and asking, without blocking

Only the lookup's first connection imports it, in a thread: loading the binding takes a sixth of a second.
"""
