"""What the lookups that ask a server share: Exim's list of servers, trying them in turn, connections kept, rows as text."""
