"""POP3 on the wire (RFC 1939, 2449, 2595, 5034): `engine` turns bytes into commands and replies into bytes; `verbs` is the table of
commands, `message` what RETR and TOP send."""
