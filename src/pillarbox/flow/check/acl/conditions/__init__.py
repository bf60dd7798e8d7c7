"""ACL conditions: file name = condition name."""
