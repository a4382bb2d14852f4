"""Tables of clips and what a model takes of them."""

import csv
import gc
import pickle
from pathlib import Path

import pytest
import torch
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


def paths_to_ramps(videos, return_tensors):
    """Stands in for a video processor: says which files it was asked for."""
    assert return_tensors == "pt"
    return {"pixel_values_videos": torch.stack([torch.full((2, 3, 4, 4), int(path[-9:-4])) for path in videos])}


def test_load_clips(rendered, tmp_path):
    clips = load_clips(rendered, paths_to_ramps, target="motion")
    assert {name: len(split) for name, split in clips.items()} == {"train": 8, "validation": 4}
    names = clips["train"].features["motion"].names
    assert names == clips["validation"].features["motion"].names == ["left", "right"]
    truth = {int(row["file_name"][-9:-4]): row["motion"] for row in rows(rendered, "train")}
    for example in pickle.loads(pickle.dumps(clips["train"])):
        assert names[example["labels"]] == truth[int(example["pixel_values_videos"].unique())]
    with pytest.raises(ValueError, match="no column 'verb'; there are file_name, label, match"):
        load_clips(rendered, paths_to_ramps, target="verb")
    with pytest.raises(ValueError, match=r"there is no metadata.csv in .*train or .*val"):
        load_clips(tmp_path, paths_to_ramps)


# pandas' reader, as datasets uses it, leaves the table open until it is collected
@pytest.mark.filterwarnings("ignore:unclosed file.*metadata.csv:ResourceWarning")
def test_the_folder_is_a_videofolder(rendered, tmp_path):
    clips = load_dataset("videofolder", data_dir=str(rendered), cache_dir=str(tmp_path))
    assert {name: len(split) for name, split in clips.items()} == {"train": 8, "validation": 4}
    ours = load_clips(rendered, paths_to_ramps)
    for name, split in clips.items():
        split = split.cast_column("video", Video(decode=False))
        paths = {Path(row["video"]["path"]): row["label"] for row in split}
        labels = ours[name].features["label"].names
        assert paths == {Path(row["video"]): labels[row["label"]] for row in ours[name].with_format(None)}
    del clips, split
    gc.collect()
