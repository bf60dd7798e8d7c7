"""The root helper: what needs another user's rights is done here, and nothing else.

A tiny process is forked before root is given up (`process.start`), by one yet smaller that makes another when it dies (`keeper`). It has no
configuration, mail or network; it reads a closed list of requests (`requests`) and forks, for each channel that
a worker opens, a process that serves it:

    worker ── channel (files) ──→ desk      one at a time, in order, never waiting for locks: delivers, reads, looks, syncs
    worker ── channel (command) ─→ runner   one command after another, each in a process that has given up root for good
    worker ── channel (mail) ────→ mail     a user's Maildir, read and changed by a process that has given up root for good

A desk keeps root in reserve and takes the actor's effective ids for each piece of work (`identity`): the system checks every access as
the user's, disk quotas count for the user, and the user can neither signal nor trace it. A delivery costs no fork. What may never be
done is fixed when the helper starts: no uid 0, none of `never_users`, none below the lowest.
"""
