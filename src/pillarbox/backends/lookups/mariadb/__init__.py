"""A small MariaDB and MySQL client: log in, send one statement, read its answer as text.

Our own, because Exim's lookups give the server's text form of every value and the client library's error texts, and because a query must
stay one statement: the drivers for Python switch several statements at once on, which makes more of every injected quote.

    packets      the wire format
    login        native, caching_sha2 and clear passwords
    optionfile   my.cnf and its groups
    connection   connecting and asking

MariaDB documentation, "Client/Server Protocol". Known gaps: no compression, no ed25519, PAM dialog or GSSAPI plugins.
"""
