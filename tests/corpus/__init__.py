"""Damaged, odd and hostile inputs, each with what is right for it; `runner.py` tries them."""
