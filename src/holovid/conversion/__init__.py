"""Converts checkpoints of the released code into holovid models."""
