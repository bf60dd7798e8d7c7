"""The web interface's place."""
