"""Where does this address go? The chain of routers (Exim chapter 15)."""
