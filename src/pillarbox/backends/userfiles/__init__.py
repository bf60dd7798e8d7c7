"""Delivery into users' files behind `ports.userfiles`: `local` as the process's own user, `memory` for tests.

The root helper's client, which writes as the recipient, will be a third.
"""
