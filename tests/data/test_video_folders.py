"""Sets of clips as data sets of the Hub: written as files beside a table, or inside of tables, and read again."""

from pathlib import Path

import pytest
from clips import write_clip
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value, Video, load_dataset, load_from_disk

from holovid import HolovidVideoProcessor
from holovid.data import ClipDataset, load_clips
from holovid.data.video_folders import write_video_folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> DatasetDict:
    """Two splits of classes that are not in the order of the alphabet, parts of a file, and a column more."""
    place = tmp_path_factory.mktemp("clips")
    for number, name in enumerate(("a/0.mp4", "b/0.mp4", "b/1.mp4", "c.mp4")):
        (place / name).parent.mkdir(exist_ok=True)
        write_clip(place / name, frames=6, seed=number)
    (place / "train.csv").write_text(
        "path,label,start,end,person\na/0.mp4,walk,,,P1\nb/0.mp4,run,0.1,0.3,P2\nb/0.mp4,walk,0.3,,P2\nb/1.mp4,run,,,P1\n"
    )
    (place / "val.csv").write_text("path,label,start,end,person\nc.mp4,walk,,,P3\n")
    return load_clips(place, names={"label": ["walk", "run"]})


def contents(rows) -> list[tuple]:
    """Of each row the bytes of its file, and the columns."""
    found = []
    for row in rows.cast_column("video", Video(decode=False)):
        video = row["video"]
        content = video["bytes"] if video["bytes"] is not None else Path(video["path"]).read_bytes()
        found.append((content, row["label"], row["start"], row["end"], row["person"]))
    return found


@pytest.mark.slow
def test_a_video_folder_is_read_again(clips, tmp_path):
    folder = write_video_folder(clips, tmp_path / "set")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "train/metadata.parquet", "train/a/0.mp4", "train/b/0.mp4", "train/b/1.mp4", "validation/metadata.parquet",
        "validation/c.mp4",
    }  # fmt: skip
    loaded = load_dataset("videofolder", data_dir=str(folder), cache_dir=str(tmp_path / "cache"))
    assert loaded["train"].features["video"] == Video()
    assert loaded["train"].features["label"] == ClassLabel(names=["walk", "run"])
    assert sorted(loaded["train"].features) == ["end", "label", "person", "start", "video"]
    for again in (loaded, load_clips(folder), load_clips(loaded)):
        for split in ("train", "validation"):
            assert contents(again[split]) == contents(clips[split])
        assert again["train"].features["label"].names == ["walk", "run"]
    assert str(folder) in load_clips(folder)["train"][0]["video"]["path"]
    with pytest.raises(ValueError, match="exists already"):
        write_video_folder(clips, folder)


def test_what_save_to_disk_wrote_is_read(clips, tmp_path):
    """It holds the videos themselves."""
    clips.save_to_disk(tmp_path / "saved")
    for again in (load_clips(tmp_path / "saved"), load_clips(load_from_disk(tmp_path / "saved"))):
        assert contents(again["train"]) == contents(clips["train"])
        assert again["validation"].features["label"].names == ["walk", "run"]
    clips["train"].cast_column("video", Video()).save_to_disk(tmp_path / "one")
    rows = load_clips(tmp_path / "one")["train"]
    assert contents(rows) == contents(clips["train"])
    processor = HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=2)
    saved, plain = (ClipDataset(each, processor)[1] for each in (rows, clips["train"]))
    assert (saved["pixel_values_videos"] == plain["pixel_values_videos"]).all() and saved["labels"] == plain["labels"]
    folder = write_video_folder({"train": rows}, tmp_path / "set")
    assert contents(load_clips(folder)["train"]) == contents(clips["train"])
    for part in (tmp_path / "one").glob("*.arrow"):
        part.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="was written by save_to_disk, but cannot be loaded"):
        load_clips(tmp_path / "one")


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("https://example.org/a.mp4", ValueError, "row 0 of train is a URL"),
        ("a.txt", ValueError, "has no video suffix"),
        ("gone.mp4", FileNotFoundError, "gone.mp4"),
    ],
)
def test_what_cannot_be_written(tmp_path, path, error, message):
    features = Features({"video": Video(decode=False), "label": Value("string")})
    rows = Dataset.from_dict({"video": [{"path": path, "bytes": None}], "label": ["run"]}, features)
    with pytest.raises(error, match=message):
        write_video_folder({"train": rows}, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    with pytest.raises(ValueError, match="the split 'test' has no clips"):
        write_video_folder({"test": rows.select([])}, tmp_path / "set")
    with pytest.raises(ValueError, match="there are no splits"):
        write_video_folder({}, tmp_path / "set")
