"""Actions to come: what is seen before each, what its frames show, and what is refused."""

import numpy as np
import pytest
import tiny_avt
import tiny_xvit
import torch
from clips import write_clip
from golden_numbers import golden

from holovid import HolovidProcessor
from holovid.data import ClipDataset, load_clips
from holovid.data.anticipation import before_actions, frame_times, seen_by
from holovid.data.synthetic import write_mp4
from holovid.evaluation.tasks import list_clips

HEADER = "path,start,end,label"


@pytest.fixture
def table(tmp_path):
    """Actions of two videos: b.mp4 has the same times as a.mp4, and other classes."""
    for name in ("a.mp4", "b.mp4"):
        write_clip(tmp_path / name)
    lines = [HEADER]
    for name, classes in (("a.mp4", ["take", "cut", "wash", "put"]), ("b.mp4", ["put", "put", "take", "take"])):
        for (start, end), label in zip([(0, 2), (1.5, 5), (6, 7), (9, 12)], classes, strict=True):
            lines.append(f"{name},{start},{end},{label}")
    path = tmp_path / "actions.csv"
    path.write_text("\n".join([*lines, ""]))
    return path


def names_of(rows, column: str) -> list:
    names = rows.features["label"].names
    return [[names[number] if number >= 0 else None for number in numbers] for numbers in rows[column]]


def test_what_is_seen_before_an_action(table, caplog):
    rows = before_actions(
        load_clips(table), anticipation_seconds=1.0, observation_seconds=4.0, frame_rate=1.0, num_frames=4
    )["train"]
    assert "left out 2 of 8 actions" in caplog.text  # those that start with their video
    names = rows.features["label"].names
    assert [names[number] for number in rows["label"]] == ["cut", "wash", "put", "put", "take", "take"]
    np.testing.assert_allclose(rows["start"][:3], [0.0, 1.0, 4.0])
    np.testing.assert_allclose(rows["end"][:3], [0.5, 5.0, 8.0], atol=1e-4)
    assert rows["action_start"][:3] == [1.5, 6.0, 9.0] and rows["action_end"][:3] == [5.0, 7.0, 12.0]
    assert names_of(rows, "past_label")[:3] == [
        ["take", "take", "take", "take"],  # 0.5 s, where the video begins, again and again
        ["take", "cut", "cut", "cut"],  # 2, 3, 4, 5 s; at 2 s "cut" covers it too, whose middle is farther away
        ["cut", "wash", "wash", None],  # 5, 6, 7, 8 s
    ]
    assert names_of(rows, "past_label")[5] == ["put", "take", "take", None]  # of the other video


def test_the_released_choice_among_several(table):
    """|t - half the length|: at 2 s 1.0 of "take" (0 to 2 s), 0.25 of "cut" (1.5 to 5 s); at 1.5 s 0.5 and 0.25."""
    fields = {"anticipation_seconds": 4.5, "observation_seconds": 1.0, "num_frames": 1}
    ours = before_actions(load_clips(table), **fields)["train"]
    released = before_actions(load_clips(table), by_half_length=True, **fields)["train"]
    assert ours["action_start"] == released["action_start"] == [6.0, 9.0, 6.0, 9.0]
    assert names_of(ours, "past_label")[0] == ["take"]  # 1.5 s: its middle is at 1 s, that of "cut" at 3.25 s
    assert names_of(released, "past_label")[0] == ["cut"]


def test_times_of_frames_are_the_released_ones():
    for case in golden("avt/sampling.json")["cases"]:
        if case["strategy"] == "last_clip":
            times = frame_times(np.array([float(case["window_end"])]), case["frame_rate"], case["num_frames"])
            np.testing.assert_allclose(times, [case["seconds"]], atol=1e-9)


def test_what_is_refused(table, tmp_path):
    clips = load_clips(table)
    for fields, message in (
        ({"anticipation_seconds": -1}, "anticipation_seconds must be 0 or more, got -1"),
        ({"observation_seconds": 0}, "observation_seconds must be more than 0"),
        ({"frame_rate": 0}, "frame_rate must be more than 0"),
        ({"num_frames": 0}, "num_frames must be 1 or more"),
        ({"anticipation_seconds": 100.0}, "no action of the split 'train' has a frame to observe"),
        ({"target": "verb"}, "column 'verb' of train does not hold classes"),
    ):
        with pytest.raises(ValueError, match=message):
            before_actions(clips, **fields)
    (tmp_path / "whole.csv").write_text("path,label\na.mp4,take\nb.mp4,cut\n")
    with pytest.raises(ValueError, match="train has no column 'start'"):
        before_actions(load_clips(tmp_path / "whole.csv"))
    (tmp_path / "open.csv").write_text(f"{HEADER}\na.mp4,1,,take\nb.mp4,2,3,cut\n")
    with pytest.raises(ValueError, match="row 0 of train has no end"):
        before_actions(load_clips(tmp_path / "open.csv"))


def test_nothing_of_the_future_is_seen(tmp_path):
    """Two films that are equal up to a second before the action, and one that differs a frame earlier."""
    frames = np.random.default_rng(0).integers(0, 256, (40, 16, 24, 3), dtype=np.uint8)
    for name, first in (("a.mp4", 40), ("b.mp4", 21), ("c.mp4", 20)):  # at 10 frames a second, frame 20 is at 2 s
        film = frames.copy()
        film[first:] = 255 - film[first:]
        write_mp4(tmp_path / name, film, np.zeros(64_000, dtype=np.float32), 10, 16_000)
    lines = [
        HEADER,
        *(f"{name}.mp4,3.0,3.5,{label}" for name, label in zip("abc", ("cut", "put", "cut"), strict=True)),
    ]
    (tmp_path / "actions.csv").write_text("\n".join([*lines, ""]))
    model = tiny_avt.tiny(num_labels=2, num_frames=3, frame_rate=2.0, observation_seconds=1.5)
    rows = seen_by(model.config, load_clips(tmp_path / "actions.csv"))["train"]
    dataset = ClipDataset(rows, HolovidProcessor.for_model(model))
    seen = [dataset[row] for row in range(3)]
    logits = [model(pixel_values_videos=each["pixel_values_videos"][None]).logits for each in seen]
    assert torch.equal(seen[0]["pixel_values_videos"], seen[1]["pixel_values_videos"])
    assert torch.equal(logits[0], logits[1]) and not torch.allclose(logits[0], logits[2])
    alike = (seen[0]["pixel_values_videos"] - seen[2]["pixel_values_videos"]).abs().amax((1, 2, 3)) < 0.05
    assert alike.tolist() == [True, True, False]  # frames at 1, 1.5 and 2 s


def test_rows_of_a_data_set_say_what_frames_show(table):
    model = tiny_avt.tiny(num_frames=4, frame_rate=1.0, observation_seconds=4.0, num_labels=4)
    clips = seen_by(model.config, load_clips(table))
    dataset = ClipDataset(clips["train"], HolovidProcessor.for_model(model), on_broken="mask")
    row = dataset[0]
    assert row["past_labels"].tolist() == clips["train"]["past_label"][0] and row["labels"].ndim == 0
    assert dataset.blank_row()["past_labels"].tolist() == [-100] * 4
    batch = {name: value[None] for name, value in row.items()}
    assert {"next", "past", "feature"} == model(**batch).losses.keys()


def test_whose_clips_stay_as_they_are(table, tmp_path):
    (tmp_path / "whole.csv").write_text("path,label\na.mp4,take\nb.mp4,cut\n")
    whole = load_clips(tmp_path / "whole.csv")
    assert seen_by(tiny_avt.tiny_config(), whole) is whole  # films that end where the model has to answer
    clips = load_clips(table)
    assert seen_by(tiny_xvit.tiny().config, clips) is clips


def test_two_actions_may_start_together(table):
    """What is seen before them is the same; an action that is there twice is a mistake."""
    for more, refused in (("a.mp4,6,8,put", False), ("a.mp4,6,7,wash", True)):
        path = table.with_name("together.csv")
        path.write_text(table.read_text() + more + "\n")
        rows = before_actions(load_clips(path))["train"]
        if refused:
            with pytest.raises(ValueError, match="more than once"):
                list_clips(rows)
        else:
            assert len(list_clips(rows)) == 7
