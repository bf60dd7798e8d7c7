"""An mbox file as INBOX, beside a Maildir that holds the other mailboxes and the index (docs/decisions/0020).

Read `scan` (which messages there are), `access` (under which locks), `removal` (how some are taken out so that nothing is lost), then `inbox`
(what the index knows of them) and `mailbox`. The file itself is changed by appending and by removal only: flags live in the index.
"""
