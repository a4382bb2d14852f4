"""Public import path of `holovid.publishing`."""

from holovid.publishing.card import build_card as build_card
from holovid.publishing.card import write_card as write_card
from holovid.publishing.card_picture import draw_card_picture as draw_card_picture
