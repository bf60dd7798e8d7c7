"""Variables of the expansion language, each file over the facts of one stage (Exim 11.9)."""
