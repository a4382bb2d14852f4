from .card import build_card as build_card
from .card import write_card as write_card
from .licences import Licence as Licence
from .push import publish as publish

__all__: list[str]
