"""Pictures: frames are the ones the model is shown, each in its place; classes are in theirs, at any number."""

import io
import itertools

import numpy as np
import pytest
import torch
from clips import write_clip
from PIL import Image, ImageFont

from holovid import HolovidVideoProcessor
from holovid.evaluation.confusion import confusion_counts, draw_confusion, most_confused
from holovid.inference.contact_sheet import contact_sheet, draw_sheet, seen_frames, shorten, stack

ANSWERS = [{"label": "left", "score": 0.9}, {"label": "right", "score": 0.1}]


@pytest.mark.parametrize("views", [1, 3])
def test_seen_frames_are_the_videos(tmp_path, views):
    clip = write_clip(tmp_path / "a.mp4")  # 24 frames at 12 a second
    processor = HolovidVideoProcessor(size={"shortest_edge": 48}, crop_size=48, num_frames=6, num_views=views)
    frames, times = seen_frames(processor, clip)
    plain = processor(clip, num_views=1, do_normalize=False, return_tensors="pt")["pixel_values_videos"][0]
    torch.testing.assert_close(frames, plain)
    assert times == pytest.approx([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3])
    assert contact_sheet(processor, clip, ANSWERS, "a.mp4").size == draw_sheet(frames, times, ANSWERS, "a.mp4").size


def test_times_are_left_out_when_unknown():
    processor = HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=2)
    frames, times = seen_frames(processor, torch.zeros(4, 3, 16, 16, dtype=torch.uint8))
    assert frames.shape == (2, 3, 16, 16) and times is None


def test_frames_stand_in_reading_order():
    shades = torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0])
    sheet = draw_sheet(shades.view(5, 1, 1, 1).expand(5, 1, 8, 16), None, ANSWERS, columns=3)
    width, height = (960 - 2 * 24 - 2 * 8) // 3, (960 - 2 * 24 - 2 * 8) // 6
    for index, shade in enumerate(shades):
        row, column = divmod(index, 3)
        x, y = 24 + column * (width + 8) + width // 2, 24 + row * (height + 8) + height // 2
        assert sheet.getpixel((x, y)) == (int(shade * 255),) * 3


def test_taller_with_more_to_say():
    frames = torch.rand(8, 3, 16, 16)
    heights = [
        draw_sheet(frames, None, []).height,
        draw_sheet(frames, None, ANSWERS).height,
        draw_sheet(frames, None, ANSWERS, "title").height,
        draw_sheet(frames, range(8), ANSWERS, "title").height,
    ]
    assert heights == sorted(set(heights))
    assert stack([draw_sheet(frames, None, ANSWERS)] * 3).height == 3 * heights[1]


def test_long_text_is_cut_in_the_middle():
    font = ImageFont.load_default(size=18)
    text = "/data/clips/" + "very" * 50 + "/the_name.mp4"
    short = shorten(text, font, 300)
    assert font.getlength(short) <= 300 and short.startswith("/data/") and short.endswith("name.mp4")
    assert shorten("short", font, 300) == "short"


@pytest.mark.parametrize("shape", [(3, 8, 8), (0, 3, 8, 8), (2, 4, 8, 8)])
def test_no_frames(shape):
    with pytest.raises(ValueError, match="frames must be"):
        draw_sheet(torch.zeros(shape), None, ANSWERS)


def test_times_must_match():
    with pytest.raises(ValueError, match="2 frames but 3 times"):
        draw_sheet(torch.zeros(2, 3, 8, 8), [0, 1, 2], ANSWERS)


def test_confusions_by_hand():
    counts = confusion_counts([0, 0, 0, 1, 2, 2], [0, 1, 1, 1, 0, 2], 4)
    assert counts.tolist() == [[1, 2, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert most_confused(counts, [*"abcd"]) == [
        {"label": "a", "prediction": "b", "clips": 2, "share": pytest.approx(2 / 3)},
        {"label": "c", "prediction": "a", "clips": 1, "share": 0.5},
    ]
    assert len(most_confused(counts, [*"abcd"], limit=1)) == 1
    assert most_confused(np.eye(3, dtype=int), [*"abc"]) == []


def test_confusions_show_shares_of_the_classes_that_occur():
    counts = confusion_counts([0, 0, 3, 3, 3, 3], [0, 3, 3, 3, 3, 0], 5)
    figure = draw_confusion(counts, ["walk", "b", "c", "$run$", "e"], "title")
    axes = figure.axes[0]
    assert axes.images[0].get_array().tolist() == [[0.5, 0.5], [0.25, 0.75]]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["walk", r"\$run\$"]
    assert [text.get_text() for text in axes.texts] == ["0.50", "0.50", "0.25", "0.75"]
    assert axes.get_title() == "title"


def test_confusions_show_classes_that_are_only_predicted():
    counts = confusion_counts([0, 0], [0, 2], 4)
    axes = draw_confusion(counts, [*"abcd"]).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["a", "c"]
    assert axes.images[0].get_array().tolist() == [[0.5, 0.5], [0.0, 0.0]]


def test_confusions_have_their_scale_beside_them():
    figure = draw_confusion(confusion_counts([0, 1, 1], [0, 1, 0], 2), ["a", "b"])
    figure.canvas.draw()
    picture, scale = figure.axes
    assert scale.get_window_extent().x0 > picture.get_window_extent().x1
    (image,) = picture.images
    assert (image.norm(0.0), image.norm(1.0)) == (0, 1)
    assert image.norm(0.01) == pytest.approx(0.1), "a rare confusion is darker than its share"


@pytest.mark.parametrize("classes", [1, 2, 15, 60, 61, 400])
def test_confusions_of_any_size(classes):
    random = np.random.default_rng(0)
    labels = random.permutation(np.arange(4 * classes) % classes)
    predictions = np.where(random.random(4 * classes) < 0.7, labels, random.integers(0, classes, 4 * classes))
    names = [f"a class with quite a long name, number {number}" for number in range(classes)]
    figure = draw_confusion(confusion_counts(labels, predictions, classes), names)
    figure.savefig(buffer := io.BytesIO(), format="png")
    with Image.open(buffer) as picture:
        # readable, and no more than a screen
        assert 400 < picture.width < 2000 and 400 < picture.height < 2000
    cell = figure.axes[0].get_window_extent().width / classes
    assert cell > 2, "every class is at least two pixels wide"
    if classes <= 60:
        labels = [text.get_window_extent() for text in figure.axes[0].get_yticklabels()]
        assert all(upper.y0 > lower.y0 for upper, lower in itertools.pairwise(labels))
        assert min(label.x0 for label in labels) >= 0, "names are not cut off"
        gaps = [upper.y0 - lower.y1 for upper, lower in itertools.pairwise(labels)]
        assert min(gaps, default=0) > -3, "names do not run over one another"


def test_long_names_are_cut_to_what_fits():
    names = ["x" * 28, "y" * 29]
    axes = draw_confusion(confusion_counts([0, 1], [0, 1], 2), names).axes[0]
    shown = [text.get_text() for text in axes.get_yticklabels()]
    assert shown == ["x" * 28, "y" * 27 + "\N{HORIZONTAL ELLIPSIS}"]


def test_nothing_is_confused():
    with pytest.raises(ValueError, match="there are no clips to draw"):
        draw_confusion(np.zeros((2, 2), dtype=int), ["a", "b"])
    with pytest.raises(ValueError, match="3 classes need counts with as many rows and columns"):
        draw_confusion(np.zeros((2, 2), dtype=int), ["a", "b", "c"])
