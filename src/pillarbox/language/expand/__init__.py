"""String expansion: text → template once at load, template → string many times (Exim chapter 11)."""
