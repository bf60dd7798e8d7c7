"""What we ask of the world: one Protocol a file, implemented in system/ and backends/."""
