"""A small LDAP client: bind, search, and what Exim puts around a URL.

Our own, because the drivers are wrappers of a C library without wheels; with this, every installation can ask directories.

    ber         the encoding (X.690, the definite subset of RFC 4511 §5.1)
    filters     RFC 4515 filters, encoded
    query       Exim's parameters and the URL behind them
    messages    requests and responses (RFC 4511)
    connection  connecting, TLS, binding, searching
    entry_text  entries as text
    quoting     the quote operators

Known gaps: simple binds only; `ldap.conf` is not read.
"""
