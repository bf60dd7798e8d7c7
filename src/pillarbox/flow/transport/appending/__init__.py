"""What the appendfile transport works out before a mailbox is touched (Exim chapter 26): where it writes, and how much may be
there. The writing itself is done with the recipient's rights, behind `ports.localwork`.
"""
