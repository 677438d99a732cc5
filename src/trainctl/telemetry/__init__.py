"""Logs out of a run folder: followed by byte offset, rendered for people, cut to size."""
