"""Facts that stages put into a scope for expansions, one file for each concern; the variables over them are in flow/variables."""
