"""Items `${name{…}…}` by family."""
