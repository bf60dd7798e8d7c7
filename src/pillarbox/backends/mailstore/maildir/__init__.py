"""Maildir++ on disk, an SQLite index beside it (`pillarbox.index`), and every other program welcome in between.

The files are the truth about which messages there are and which flags they bear; the index is the truth about UIDs, modseqs and
what was expunged. `filename` and `folders` say how both are named, `scan` compares a directory with what is known, `index` is the
database, `folder` the copy of one mailbox's rows in this process, `mailbox` and `store` are the port, `watch` wakes IDLE.
Losing the index costs a new UIDVALIDITY, never mail (`docs/mailstore.md`).
"""
