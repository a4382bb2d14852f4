"""A film through a stream: the scores of windows where frames see their group, and each frame is computed once."""

import numpy as np
import pytest
import torch
from sounding_clips import write_sounding_clip
from streams import offline, tiny
from test_timelines import LABELS, SMALL

from holovid import HolovidVideoProcessor
from holovid.inference import timeline
from holovid.processing.video_decoding import open_video

GROUPS = {"mix_group": 3, "temporal_embedding_length": 3}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Ten seconds at 20 frames a second."""
    return write_sounding_clip(tmp_path_factory.mktemp("films") / "film.mp4", 200, size=(32, 48))


@pytest.mark.parametrize(
    ("mixing", "window", "stride"),
    [(GROUPS, 1.5, 0.75), (GROUPS, 1.5, 1.5), (GROUPS, 1.2, 1.8), ({}, 1.5, 1.5), ({"mix_layers": []}, 1.5, 1.5)],
)
def test_groups_give_the_scores_of_windows(film, mixing, window, stride):
    model, processor = tiny(id2label=LABELS, **mixing), HolovidVideoProcessor(**SMALL)
    streamed = timeline(model, processor, film, window, stride, stream=True, progress=False)
    windows = timeline(model, processor, film, window, stride, progress=False)
    assert streamed.starts == pytest.approx(windows.starts) and len(streamed.starts) > 3
    assert streamed.scores == pytest.approx(windows.scores, abs=1e-5)
    assert np.abs(np.diff(windows.scores, axis=0)).max() > 0.01


@pytest.mark.parametrize("stride", [0.25, 0.5, 1.75])
def test_models_of_the_past_have_seen_the_film_from_its_beginning(film, stride):
    model, processor = tiny(id2label=LABELS, mix_direction="past"), HolovidVideoProcessor(**SMALL)
    streamed = timeline(model, processor, film, 1.5, stride, stream=True, progress=False)
    with open_video(film) as video:
        pixels, _ = video.frames(range(0, 200, 5))  # 0.25 s apart
    frames = processor(pixels, do_sample_frames=False, return_tensors="pt")["pixel_values_videos"]
    for start, row in zip(streamed.starts, streamed.scores, strict=True):
        want = offline(model, frames[:, : round(start / 0.25) + 6]).softmax(-1)[0]
        torch.testing.assert_close(torch.from_numpy(row), want, rtol=0, atol=1e-5)


def test_each_frame_is_computed_once(film, monkeypatch):
    model, processor = tiny(id2label=LABELS, mix_direction="past"), HolovidVideoProcessor(**SMALL)
    seen = []
    model.xvit.embeddings.register_forward_hook(lambda _, given, __: seen.append(given[0].shape[1]))
    timeline(model, processor, film, 1.5, 0.25, stream=True, progress=False)
    assert sum(seen) == 40  # ten seconds, four a second; windows have 6 of them each, 35 times


def test_a_film_of_fewer_frames_shows_some_again(tmp_path):
    path = write_sounding_clip(tmp_path / "film.mp4", 20, size=(32, 48))
    model, processor = tiny(id2label=LABELS, mix_direction="past"), HolovidVideoProcessor(**SMALL)
    scores = timeline(model, processor, path, 0.15, 0.025, stream=True, progress=False)
    assert len(scores.starts) == 36  # the last one may reach half a frame beyond the end
    assert scores.scores[0] != pytest.approx(scores.scores[1], abs=1e-6)


def test_a_third_of_a_second_need_not_be_written_in_full(film):
    model, processor = tiny(id2label=LABELS, mix_direction="past"), HolovidVideoProcessor(**SMALL)
    scores = timeline(model, processor, film, 2.0, 0.333, stream=True, progress=False)
    assert scores.starts[-1] == pytest.approx(8.0)


def test_what_no_stream_does_is_refused(film):
    model, processor = tiny(id2label=LABELS, **GROUPS), HolovidVideoProcessor(**SMALL)
    with pytest.raises(ValueError, match=r"predicts every 1 s: the stride must be a multiple of that, got 0.5 s"):
        timeline(model, processor, film, 2.0, 0.5, stream=True)
    with pytest.raises(ValueError, match="the film lasts 10 s, but a stream first predicts after 60 s"):
        timeline(model, processor, film, 60.0, 30.0, stream=True)
    with pytest.raises(ValueError, match="one view of each frame"):
        timeline(model, HolovidVideoProcessor(**SMALL, num_crops=3), film, 2.0, 1.0, stream=True)
