"""What the commands print holds names of files and classes as they are."""

import numpy as np

from holovid.commands.tables import answer_table, localisation_table, nearest_table, say, segment_table, show
from holovid.data.named_clips import NamedClip
from holovid.inference.nearest import Found
from holovid.inference.segments import Segment
from holovid.metrics.localisation import localisation

CLIP, LABEL = (
    "film [dQw4w9].mp4",
    "Put [something] :car: [/b]",
)  # rich would take them for styles, symbols and an error


def test_brackets_and_colons_are_printed_as_they_are(capsys):
    segment = Segment(0.0, 1.0, LABEL, 0.5)
    named = vars(segment) | {"film": CLIP}
    tables = {
        "answers": answer_table([CLIP], [[{"label": LABEL, "score": 0.5}]]),
        "unread": answer_table([CLIP], [{"error": f"{CLIP} [/b]"}]),
        "segments": segment_table([segment]),
        "measured": localisation_table(localisation([named], [named])),
        "nearest": nearest_table([Found(NamedClip(CLIP), 0, float(np.float32(0.5)))]),
    }
    printed = {}
    for name, table in tables.items():
        show({}, table, as_json=False)
        printed[name] = capsys.readouterr().out
    assert CLIP in printed["answers"] and CLIP in printed["unread"] and CLIP in printed["nearest"]
    assert all(LABEL in printed[name] for name in ("answers", "segments", "measured"))
    say(f"Picture: {CLIP} {LABEL}")
    assert capsys.readouterr().out == f"Picture: {CLIP} {LABEL}\n"
