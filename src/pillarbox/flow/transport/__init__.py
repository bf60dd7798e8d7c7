"""Carrying a message to where the routers sent it.

`plan` makes jobs of assignments, `run` gives them to the transports (transports/<driver>.py), which answer with one outcome per address.
`headers` prepares what a copy gains and loses; `attempt/` is one outbound conversation in small steps; `keep` holds connections
for the next message.
"""
