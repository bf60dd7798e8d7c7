"""The little languages: string expansion, lists, rewrite and retry rules."""
