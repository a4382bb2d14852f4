"""Explanations of predictions: where and when the evidence is, in picture and sound; and tests of explanations."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
