"""Keeping mail until it is settled.

`fastlane` makes the first attempt from memory, `runner` the later ones; both through `deliver` (route, carry) and `settle` (log, retry hints,
`notices`, progress). `due` knows when what is due, `retry` writes what failures mean for the next time, `bounce` and `warning` word what
senders are told, `inject` takes our own messages in, `admin` is what `exim -M…` does.
"""
