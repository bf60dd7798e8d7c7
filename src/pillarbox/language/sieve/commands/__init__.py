"""The commands of Sieve, a file each."""
