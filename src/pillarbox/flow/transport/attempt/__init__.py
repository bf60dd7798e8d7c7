"""One outbound SMTP try, as named steps."""
