"""The tests of Sieve, a file each."""
