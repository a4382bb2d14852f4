from .embedding import embed_clip as embed_clip
from .embedding import embed_clips as embed_clips
from .localising import Localised as Localised
from .localising import localise as localise
from .localising import read_truth as read_truth
from .nearest import nearest_clips as nearest_clips
from .segments import Segment as Segment
from .segments import SegmentRules as SegmentRules
from .segments import find_segments as find_segments
from .timeline_files import write_timeline as write_timeline
from .timelines import Timeline as Timeline
from .timelines import timeline as timeline
from .vector_map import draw_map as draw_map
from .vectors import read_vectors as read_vectors

__all__: list[str]
