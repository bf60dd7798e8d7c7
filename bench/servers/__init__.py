"""One file per mail server: how it is configured, started and asked for its queue. `SERVERS` in `choice` names them."""
