"""The Exim 3 dialect, lowered to Exim 4 terms line by line.

Each line keeps the file and number of the Exim 3 line that it came from, so that everything said about the configuration points into the
file its administrator wrote; printed, the same lines are an Exim 4 configuration (`pillarbox config convert`). docs/exim3.md tells the mapping.
"""
