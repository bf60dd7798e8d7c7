"""What the lookup types that read files share: files kept in memory, and the lines of search files."""
