"""A documented path of what is in `holovid.inference.contact_sheet`."""

from holovid.inference.contact_sheet import contact_sheet as contact_sheet
from holovid.inference.contact_sheet import draw_sheet as draw_sheet
from holovid.inference.contact_sheet import stack as stack
