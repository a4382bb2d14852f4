"""Public import path of `holovid.inference.contact_sheet`."""

from holovid.inference.contact_sheet import contact_sheet as contact_sheet
from holovid.inference.contact_sheet import draw_sheet as draw_sheet
from holovid.inference.contact_sheet import stack as stack
