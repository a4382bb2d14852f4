"""The published lists of AVE and LLP: what rows they give, and what is refused."""

import numpy as np
import pytest

from holovid.data import load_clips
from holovid.data.ave import event_segments
from holovid.data.llp import parsing_segments

AVE_HEADER = "Category&VideoID&Quality&StartTime&EndTime"
AVE = ("Church bell&RUhOCu3LNXM&good&0&10", "Male speech, man speaking&-0SYs2d5oCU&good&3&7")
LLP = "-0A9suni5YA_80_90\tSpeech,Cat", "0eHjWtD_p8o_30_40\tSpeech"
EVENTS = "-0A9suni5YA_80_90\t2\t5\tSpeech", "-0A9suni5YA_80_90\t0\t10\tCat", "0eHjWtD_p8o_30_40\t9\t10\tSpeech"


def written(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("header", [(), (AVE_HEADER,)])
def test_ave(tmp_path, header):
    (tmp_path / "AVE").mkdir()
    for name in ("RUhOCu3LNXM", "-0SYs2d5oCU"):
        (tmp_path / "AVE" / f"{name}.mp4").touch()
    rows = load_clips(written(tmp_path / "trainSet.txt", *header, *AVE))["train"]
    assert rows.features["label"].names == ["Church bell", "Male speech, man speaking"]
    assert rows[1]["event_start"] == 3 and rows[1]["event_end"] == 7 and "start" not in rows.features
    assert rows.with_format(None)["video"][1]["path"] == str(tmp_path / "AVE" / "-0SYs2d5oCU.mp4")
    seconds = event_segments(rows["label"], rows["event_start"], rows["event_end"], background=28)
    assert seconds.tolist() == [[0] * 10, [28] * 3 + [1] * 4 + [28] * 3]


def test_the_three_sets_of_ave_are_splits(tmp_path):
    paths = {
        name: written(tmp_path / f"{name}Set.txt", *AVE[:count]) for name, count in {"train": 2, "val": 1}.items()
    }
    clips = load_clips(paths, missing="ignore")
    assert {split: len(rows) for split, rows in clips.items()} == {"train": 2, "validation": 1}
    assert clips["validation"].with_format(None)["video"][0]["path"].endswith("RUhOCu3LNXM.mp4")


def test_llp_without_times_has_several_classes_a_clip(tmp_path):
    path = written(tmp_path / "AVVP_train.csv", "filename\tevent_labels", *LLP)
    rows = load_clips(path, missing="ignore")["train"]
    assert rows.features["label"].feature.names == ["Cat", "Speech"]
    assert rows["label"][:] == [[1, 0], [1]]
    assert rows.with_format(None)["video"][0]["path"] == str(tmp_path / "-0A9suni5YA_80_90.mp4")


def test_llp_with_times_has_an_event_a_row(tmp_path):
    path = written(tmp_path / "AVVP_eval_audio.csv", "filename\tonset\toffset\tevent_labels", *EVENTS)
    rows = load_clips(path, missing="ignore")["train"]
    assert rows["label"][:] == [1, 0, 1] and rows["start"][:] == [2, 0, 9] and rows["end"][:] == [5, 10, 10]
    happens = parsing_segments(path, ["0eHjWtD_p8o_30_40", "-0A9suni5YA_80_90", "other"], ["Speech", "Dog", "Cat"])
    expected = np.zeros((3, 3, 10))
    expected[0, 0, 9] = expected[1, 0, 2:5] = expected[1, 2] = 1
    np.testing.assert_array_equal(happens, expected)
    with pytest.raises(ValueError, match="classes that are not in names: Cat"):
        parsing_segments(path, [], ["Speech"])
    weak = written(tmp_path / "AVVP_train.csv", "filename\tevent_labels", *LLP)
    with pytest.raises(ValueError, match="has no times"):
        parsing_segments(weak, [], ["Speech"])


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        (
            "a.txt",
            (AVE[0], "Bell&RUhOCu3LNXM&good&0"),
            r"a.txt, line 2: 'Bell&.*' does not fit; a line must be Category&",
        ),
        ("a.txt", (AVE_HEADER, "Bell&RUhOCu3LNXM&good&5&5"), "line 2: the action goes from 5 s to 5 s"),
        ("a.txt", (AVE[0], "Bell&../../secret&good&0&5"), "line 2: .* does not fit"),
        ("a.csv", ("filename\tevent_labels", "clip"), "line 2: 'clip' does not have the 2 columns"),
        ("a.csv", ("filename\tevent_labels", "../clip\tCat"), "line 2: '../clip' is not the name of a clip"),
        ("a.csv", ("filename\tevent_labels",), "has no rows below its first line"),
        ("a.csv", ("filename\tonset\toffset\tevent_labels", "clip\tone\t2\tCat"), "onset and offset must be seconds"),
        ("a.csv", ("filename\tonset\toffset\tevent_labels", "clip\t3\t2\tCat"), "the action goes from 3 s to 2 s"),
    ],
)
def test_lists_that_cannot_be(tmp_path, name, lines, message):
    with pytest.raises(ValueError, match=message):
        load_clips(written(tmp_path / name, *lines), missing="ignore")
