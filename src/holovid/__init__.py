"""holovid: space-time video transformers as first-class Hugging Face models.

Importing it registers its configurations, models and processors with transformers' Auto classes (`registration.py`),
but imports neither torch nor transformers: each public name is imported when it is first used. `__init__.pyi` lists
the public names, also for type checkers.
"""

import lazy_loader

from holovid import registration as registration

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
