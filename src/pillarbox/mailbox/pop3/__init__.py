"""POP3's sessions: `session` waits, dispatches and bounds; `login` is the AUTHORIZATION state, `maildrop` the snapshot that the
TRANSACTION state works on and UPDATE changes; `services` is what they are given."""
