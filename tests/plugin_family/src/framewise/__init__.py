"""Framewise: an image transformer sees each frame by itself, and the clip is the mean of its frames."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
