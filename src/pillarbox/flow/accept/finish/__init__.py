"""The steps at the end of data, in order."""
