"""A set of clips is looked through: what is there, what is wrong with it, and how it is divided without leaks."""

import json
import shutil

import av
import pytest
from clips import write_clip
from datasets import Dataset
from PIL import Image
from typer.testing import CliRunner

from holovid.cli import app
from holovid.data import load_clips
from holovid.data.checking import inspect_clips
from holovid.data.splitting import groups_of, split_rows, write_split


def data(*arguments):
    return CliRunner().invoke(app, ["data", *map(str, arguments)])


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Ten clips of each of two classes to train on, two to validate on."""
    folder = tmp_path_factory.mktemp("good")
    for number, label in enumerate(("run", "walk")):
        for split, count in (("train", 10), ("val", 2)):
            (folder / split / label).mkdir(parents=True)
            for clip in range(count):
                seed = 100 * number + clip + (50 if split == "val" else 0)
                write_clip(folder / split / label / f"{clip}.mp4", frames=10, size=(64, 80), seed=seed)
    return folder


def test_nothing_is_wrong_with_a_good_set(good, tmp_path):
    report = inspect_clips(load_clips(good))
    assert not report.faults
    train = report.splits()["train"]
    assert (train["clips"], train["broken"], train["classes"], train["silent"]) == (20, 0, 2, 20)
    assert train["sizes"] == ["80x64"] and train["frame_rate"] == pytest.approx([12.0] * 3, rel=1e-3)
    assert train["hours"] == pytest.approx(20 * 10 / 12 / 3600, rel=0.15)
    result = data("check", good, "--picture", tmp_path / "set.png")
    assert result.exit_code == 0 and "No problems found." in result.output
    with Image.open(tmp_path / "set.png") as sheet:
        width, height = sheet.size
    assert width > 6 * 128 and height > 2 * 128


def test_faults(good, tmp_path):
    folder = tmp_path / "clips"
    shutil.copytree(good, folder)
    shutil.copy(folder / "train/run/0.mp4", folder / "val/run/copy.mp4")
    shutil.copy(folder / "train/run/1.mp4", folder / "train/walk/other.mp4")
    shutil.copy(folder / "train/run/2.mp4", folder / "train/run/again.mp4")
    (folder / "train/run/broken.mp4").write_bytes(b"no video")
    write_clip(folder / "train/run/short.mp4", frames=3, size=(64, 80), seed=7)
    write_clip(folder / "train/run/small.mp4", frames=10, size=(32, 80), seed=8)
    (folder / "train/rare").mkdir()
    write_clip(folder / "train/rare/only.mp4", frames=10, size=(64, 80), seed=99)  # unlike all others
    report = inspect_clips(load_clips(folder))
    found = {fault.kind: fault.items for fault in report.faults}
    assert {kind: len(items) for kind, items in found.items()} == {
        "broken": 1, "in two splits": 1, "two labels": 1, "repeated": 1, "short": 1, "small": 1, "few clips": 1,
        "not validated": 1,
    }  # fmt: skip
    assert found["broken"][0].count("broken.mp4") == 1 and found["few clips"] == ("rare",)
    assert "val/run/copy.mp4" in found["in two splits"][0] and "0.mp4 = " in found["in two splits"][0]
    result = data("check", folder, "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert [fault["kind"] for fault in told["faults"] if fault["severe"]] == ["broken", "in two splits", "two labels"]
    assert len(told["clips"]) == 31


def test_a_file_that_was_cut_off(good, tmp_path):
    """Its index stands in front, as in files for the web, so it is read up to where it ends."""
    (tmp_path / "run").mkdir()
    whole, cut = tmp_path / "run/whole.mp4", tmp_path / "run/cut.mp4"
    with (
        av.open(str(good / "train/run/0.mp4")) as source,
        av.open(str(whole), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    data_of_it = whole.read_bytes()
    begin = data_of_it.index(b"mdat")
    cut.write_bytes(data_of_it[: begin + (len(data_of_it) - begin) * 9 // 10])
    report = inspect_clips(load_clips(tmp_path))
    facts = {clip.path: clip for clip in report.clips}
    kept, missing = facts[str(cut)].frames, facts[str(cut)].cut_off
    assert (facts[str(whole)].frames, facts[str(whole)].cut_off) == (10, 0)
    assert kept + missing in (10, 11) and kept >= 1 and missing >= 1  # one may be there in part
    (fault,) = [fault for fault in report.faults if fault.kind == "cut off"]
    assert fault.items == (f"{cut}: {missing} frames are missing",) and not fault.severe


def test_parts_of_one_film_in_two_splits(good, tmp_path):
    film = good / "train/run/0.mp4"
    (tmp_path / "train.csv").write_text(f"path,start,end,label\n{film},0,0.3,run\n")
    (tmp_path / "val.csv").write_text(f"path,start,end,label\n{film},0.3,0.6,run\n")
    kinds = [fault.kind for fault in inspect_clips(load_clips(tmp_path)).faults]
    assert "parts in two splits" in kinds and "in two splits" not in kinds
    (tmp_path / "val.csv").write_text(f"path,start,end,label\n{film},0.2,0.6,run\n")
    kinds = [fault.kind for fault in inspect_clips(load_clips(tmp_path)).faults]
    assert "in two splits" in kinds and "parts in two splits" not in kinds


@pytest.fixture(scope="module")
def table(good):
    """Parts of files, two of each; four people."""
    lines = ["path,start,end,label,person"]
    for number in range(10):
        for label in ("run", "walk"):
            path = f"train/{label}/{number}.mp4"
            lines += [f"{path},{start},{start + 0.3},{label},P{number % 4}" for start in (0, 0.3)]
    path = good / "parts.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(("by", "groups"), [("path", 20), ("person", 4), (r"/(\d+)\.mp4", 10)])
def test_groups_stay_together(table, by, groups):
    rows = load_clips(table)["train"]
    assert len(set(groups_of(rows, by))) == groups
    split = split_rows(rows, by=by, validation=0.25)
    train, validation = (set(groups_of(split[name], by)) for name in ("train", "validation"))
    assert not train & validation and len(split["train"]) + len(split["validation"]) == 40
    assert 5 <= len(split["validation"]) <= 14
    labels = split["validation"].with_format(None)["label"][:]
    assert abs(labels.count(0) - labels.count(1)) <= 4


def test_split_is_written_and_read_again(table, tmp_path):
    result = data("split", table, tmp_path / "split", "--by", "person", "--validation", "0.25")
    assert result.exit_code == 0, result.output
    again = load_clips(tmp_path / "split")
    assert {name: rows.features["label"].names for name, rows in again.items()} == {
        "train": ["run", "walk"], "validation": ["run", "walk"],
    }  # fmt: skip
    assert not {*again["train"]["person"]} & {*again["validation"]["person"]}
    assert not [fault for fault in inspect_clips(again).faults if fault.severe]
    assert data("split", table, tmp_path / "split").exit_code == 2  # it is there already


def test_paths_start_at_a_root(table, good, tmp_path):
    moved = tmp_path / "lists" / "parts.csv"
    moved.parent.mkdir()
    shutil.copy(table, moved)
    assert data("check", moved, "--root", good).exit_code == 0 and data("check", moved).exit_code == 1
    assert data("split", moved, tmp_path / "split", "--root", good, "--validation", "0.5").exit_code == 0
    load_clips(tmp_path / "split")  # raises for missing clips
    result = data("split", moved, tmp_path / "other")
    assert result.exit_code == 2 and "or at --root" in result.output
    result = data("check", moved, "--root", good / "none")
    assert result.exit_code == 2 and "there is no folder" in result.output


def test_addresses_stay_as_they_are(tmp_path):
    addresses = [f"https://example.org/{number}.mp4" for number in range(4)]
    rows = Dataset.from_dict({"path": addresses, "label": ["run", "walk"] * 2})
    write_split(tmp_path / "split", split_rows(load_clips(rows)["train"], validation=0.5), ["label"])
    again = load_clips(tmp_path / "split")
    assert sorted(row["video"]["path"] for split in again.values() for row in split) == addresses
    inside = load_clips(rows.select_columns("label").add_column("video", [{"path": None, "bytes": b"1"}] * 4))
    with pytest.raises(ValueError, match="row 0 holds the video itself"):
        split_rows(inside["train"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--by", "film"], "by must be 'path', a column"),
        (["--by", "(S[0-9]+)"], "does not match 40 of 40 paths"),
        (["--by", "("], "not a regular expression"),
        (["--validation", "0.7"], "at most 0.5"),
        (["--by", "person", "--validation", "0.1"], "needs at least 10 groups, but there are 4"),
    ],
)
def test_slips_of_a_split(table, tmp_path, arguments, message):
    result = data("split", table, tmp_path / "split", *arguments)
    assert result.exit_code == 2 and message in " ".join(result.output.split())
    assert not (tmp_path / "split").exists()
