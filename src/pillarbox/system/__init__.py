"""The operating system: loop, clock, DNS, sockets, TLS, files."""
