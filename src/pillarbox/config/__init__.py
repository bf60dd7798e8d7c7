"""Configuration files → one frozen model; errors name file:line."""
