"""A user's Maildir served with the user's own rights: what is closed to the mail user is open to its owner (docs/decisions/0019).

    worker (mail user): `RemoteStores` ── frames ──→ a process of the root helper's that has become the user for good: `serve` ── Maildir

One process for each user of each worker, for all their sessions, as long as one is open. `requests` is the closed list of what can be
asked: the operations of `ports.mailstore`, and POP3's lock. `mailbox` mirrors an opened mailbox, because the port answers some things at once.
"""
