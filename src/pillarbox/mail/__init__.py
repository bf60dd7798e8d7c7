"""What mail is: values only, no input or output, no clock. Everything else is built from these."""
