"""Fine-tuning: Trainer with a recipe, and what a run needs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
