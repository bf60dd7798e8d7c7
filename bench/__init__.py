"""`python -m bench`: Pillarbox, Postfix and Exim measured in one interleaved run on loopback.

`__main__` reads the options and walks through rounds and scenarios, `scenarios/` hold one way of measuring each, `servers/`
one mail server each. The load comes from `generator` (own process, uvloop) or Postfix's smtp-source and ends in Maildirs
or in `sink`. What counts is found on disk: a message is delivered when its file is there.
"""
