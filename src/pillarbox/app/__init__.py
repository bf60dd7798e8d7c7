"""The only place where decisions and effects meet: the wiring, roles, reload."""
