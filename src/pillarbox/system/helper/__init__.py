"""The root helper's place: requests that need another user's rights."""
