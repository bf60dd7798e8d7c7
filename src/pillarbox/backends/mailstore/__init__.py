"""Mail stores behind `ports.mailstore`: `memory` for tests and trials, `maildir` for real mail.

What both agree on lies beside them: `names` (which mailbox names there may be), `lineends` (LF on disk, CRLF to clients) and
`marking` (how STORE changes a set of flags). In `maildir/` read `folders`, `scan`, `index`, then `mailbox` and `store`.
"""
