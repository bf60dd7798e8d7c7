"""Messages that wait: who is due, what became of each recipient, bounces and warnings."""
