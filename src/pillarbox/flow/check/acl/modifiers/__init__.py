"""ACL modifiers: file name = modifier name."""
