"""Judging texts: how many runs of words they share, and how likely their words are."""
