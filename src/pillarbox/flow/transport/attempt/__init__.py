"""One outbound try: hosts → open (dial, greet, secure) → transaction (envelope, content), each a small file over one small state."""
