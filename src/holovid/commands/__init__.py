"""The commands of `holovid`."""
