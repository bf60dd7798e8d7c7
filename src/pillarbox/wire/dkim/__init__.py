"""DomainKeys Identified Mail (RFC 6376, RFC 8301, RFC 8463): canonical forms, signatures, keys. No DNS, no clock, no policy.

`canonical` makes of a message what is digested, `signature` reads and writes the DKIM-Signature field, `key_record` reads what the DNS says
of a key, `keys` signs and verifies. Messages are in LF form here; what is digested has CRLF.
"""
