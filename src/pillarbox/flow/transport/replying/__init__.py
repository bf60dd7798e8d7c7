"""Answers to messages (Exim chapter 27): what they say (`answer`), how they look (`composing`), who has had one (`once`)."""
