"""Sieve (RFC 5228): script text → program (`parser`), program + message and envelope → actions (`interpreter`).

Nothing is delivered here, and nothing is known of routers: whoever runs a program carries its actions out (`actions`).

`scanner` reads words; `registry` holds what the language is made of: each command is a file of `commands/`, each test one of `tests/`,
comparators, match types and parts of addresses have a file each. An extension is a file: it registers its words and the capability that
scripts must `require`. `message` is what tests see; `run` is one run of a program; `printing` shows its outcome as `exim -bf` does.
"""
