"""holovid: space-time video transformers as first-class Hugging Face models.

Importing it makes transformers' Auto classes know its configurations, models and processors (`registration.py`), and
imports neither torch nor transformers: each name is imported when it is first used. Public names are one line each in
`__init__.pyi`, which type checkers read too.
"""

import lazy_loader

from holovid import registration as registration

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
