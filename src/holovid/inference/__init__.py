"""Inference: the pipeline, streams, long films, exported files, and pictures of what a model saw."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
