"""Tables of clips and what a model takes of them."""

import csv
import gc
from pathlib import Path

import pytest
from datasets import Video, load_dataset

from holovid.data import load_clips
from holovid.synthetic import ClipSet, render_clips

TINY = ClipSet(train=8, val=4, size=32, seconds=0.5, frame_rate=8)


def rows(folder, split):
    with open(folder / split / "metadata.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return render_clips(tmp_path_factory.mktemp("data") / "clips", TINY, progress=False)


def test_rendered_clips(rendered):
    clips = load_clips(rendered, target="motion")
    assert {name: len(split) for name, split in clips.items()} == {"train": 8, "validation": 4}
    names = clips["train"].features["motion"].names
    assert names == clips["validation"].features["motion"].names == ["left", "right"]
    truth = {row["file_name"]: row for row in rows(rendered, "train")}
    for row in clips["train"]:
        assert row["video"] == {"path": str(rendered / "train" / row["file_name"]), "bytes": None}
        assert names[row["motion"]] == truth[row["file_name"]]["motion"]
        assert row["shape"] == truth[row["file_name"]]["shape"]


# pandas' reader, as datasets uses it, leaves the table open until it is collected
@pytest.mark.filterwarnings("ignore:unclosed file.*metadata.csv:ResourceWarning")
def test_the_folder_is_a_videofolder(rendered, tmp_path):
    clips = load_dataset("videofolder", data_dir=str(rendered), cache_dir=str(tmp_path))
    assert {name: len(split) for name, split in clips.items()} == {"train": 8, "validation": 4}
    ours = load_clips(rendered)
    for name, split in clips.items():
        split = split.cast_column("video", Video(decode=False))
        paths = {Path(row["video"]["path"]): row["label"] for row in split}
        labels = ours[name].features["label"].names
        assert paths == {Path(row["video"]["path"]): labels[row["label"]] for row in ours[name]}
    del clips, split
    gc.collect()
