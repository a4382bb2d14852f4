"""Why a model gave its answer: where it looked, when, and whether it listened; and whether that is true."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
