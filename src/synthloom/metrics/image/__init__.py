"""Judging images: by what a small network sees in them, by what they teach another, and whether they are copies."""
