"""Checkpoints of the released code, as models of holovid."""
