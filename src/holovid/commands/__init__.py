"""The commands of `holovid`: what they take, check and print."""
