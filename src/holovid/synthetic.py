"""Public import path of `holovid.data.synthetic`."""

from holovid.data.synthetic import ClipSet as ClipSet
from holovid.data.synthetic import render_clips as render_clips
