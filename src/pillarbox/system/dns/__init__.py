"""Asking the DNS, our own way: packets, name servers, sockets, cache, and the resolver that joins them (`ports.dns`)."""
