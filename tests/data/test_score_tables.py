"""Tables of scores as people who rate videos write them."""

import pytest
from datasets import Dataset, Features, Value, Video

from holovid.cheap_checks import check_clips
from holovid.data.tables import load_clips
from holovid.evaluation.tasks import list_clips

NUMBERS = {"problem_type": "regression", "missing": "ignore"}


def write(folder, text):
    (folder / "scores.csv").write_text(text)
    return folder / "scores.csv"


@pytest.mark.parametrize("header", ["path,score", "name,mos", "name,MOS", "file_name, quality"])
@pytest.mark.parametrize("target", ["quality", "label"])
def test_usual_names(tmp_path, header, target):
    table = write(tmp_path, f"{header}\nb.mp4,72.5\na.mp4,3\n")
    check_clips(str(table), [target])
    rows = load_clips(table, target=target, **NUMBERS)["train"]
    assert rows[target] == [72.5, 3.0] and rows.features[target] == Value("float64")
    assert [video["path"] for video in rows["video"]] == [str(tmp_path / "b.mp4"), str(tmp_path / "a.mp4")]
    assert list_clips(rows).names == ["b.mp4", "a.mp4"]


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("name,mos,score", "quality"),  # which of them?
        ("name,mos", "score"),  # a name that somebody gave means that column alone
        ("name,speed", "quality"),
    ],
)
def test_no_other_column_is_taken(tmp_path, header, target):
    table = write(tmp_path, f"{header}\nb.mp4{',1' * header.count(',')}\n")
    with pytest.raises(ValueError, match=f"no column '{target}'; there are"):
        load_clips(table, target=target, **NUMBERS)
    with pytest.raises(ValueError, match=f"no column '{target}'"):
        check_clips(str(table), [target])


def test_scores_are_no_classes(tmp_path):
    table = write(tmp_path, "name,mos\na.mp4,1.5\n")
    with pytest.raises(ValueError, match="the clips have no column 'label'"):
        load_clips(table, missing="ignore")


def test_bad_cells_are_named(tmp_path):
    table = write(tmp_path, "name,mos\na.mp4,1.5\nb.mp4,good\nc.mp4,inf\nd.mp4,\n")
    with pytest.raises(ValueError, match=r"train has 3 rows \(row 1: 'good', row 2: 'inf', row 3: ''\) in 'quality'"):
        load_clips(table, target="quality", **NUMBERS)


def test_a_column_of_names_need_not_be_that_of_clips():
    videos = [{"path": None, "bytes": b"x"}, {"path": "somewhere/b.mp4", "bytes": None}]
    features = Features({"video": Video(decode=False), "name": Value("string"), "mos": Value("float64")})
    rows = Dataset.from_dict({"video": videos, "name": ["Ada", "Bob"], "mos": [1.0, 2.0]}, features)
    clips = load_clips(rows, target="quality", **NUMBERS)["train"]
    assert list_clips(clips).names == ["row 0", "somewhere/b.mp4"]
