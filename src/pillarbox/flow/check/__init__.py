"""May this be? ACLs and what they ask."""
