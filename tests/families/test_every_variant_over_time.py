"""A timeline of a film is there for every family, also one that hears, and is what the pipeline says of each clip."""

import numpy as np
import pytest
import torch
from sounding_clips import write_sounding_clip
from toy_models import toy

from holovid import HolovidProcessor, VideoClassificationPipeline
from holovid.data.named_clips import NamedClip
from holovid.explanation import explain
from holovid.inference import embed_clips, timeline
from holovid.inference.timeline_files import timeline_record
from holovid.inference.timeline_picture import draw_timeline
from holovid.inference.watching import LiveSource, watch


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 16_000 * 3)).astype(np.float32)
    path = tmp_path_factory.mktemp("films") / "film.mkv"
    return write_sounding_clip(path, 60, noise, codec="pcm_s16le", size=(64, 64))


def test_scores_over_time(variant, film):
    model, _ = toy(variant)
    processor = HolovidProcessor.for_model(model).video_processor
    scores = timeline(model, processor, film, 1.0, 0.5, batch_size=2, progress=False)
    say = VideoClassificationPipeline(model=model, video_processor=processor)
    assert scores.starts.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    for start, row in zip(scores.starts, scores.scores, strict=True):
        clip = {"path": str(film), "bytes": None, "start": float(start), "end": float(start) + 1.0}
        want = {answer["label"]: answer["score"] for answer in say(clip)}
        assert dict(zip(scores.labels, row.tolist(), strict=True)) == pytest.approx(want, abs=1e-5)


@pytest.mark.slow
def test_reasons_over_time(variant, film):
    """Those of each window by itself, on the clock of the film."""
    model, _ = toy(variant)
    processor = HolovidProcessor.for_model(model).video_processor
    scores = timeline(model, processor, film, 1.0, 0.5, batch_size=2, why=True, progress=False)
    assert scores.scores == pytest.approx(timeline(model, processor, film, 1.0, 0.5, progress=False).scores, abs=1e-5)
    record = timeline_record(scores, [])
    for number, start in enumerate(scores.starts.tolist()):
        clip = {"path": str(film), "bytes": None, "start": start, "end": start + 1.0}
        inputs = dict(processor(clip, num_views=1, num_crops=1, return_tensors="pt", return_metadata=True))
        (metadata,) = inputs.pop("video_metadata")
        times = torch.tensor(metadata.timestamps[: inputs["pixel_values_videos"].shape[1]])
        inputs.setdefault("frame_times", times[None])
        why = explain(model, inputs)
        told = record["windows"][number]
        assert told["seen"]["shares"] == pytest.approx(why.when_visual[0].tolist(), abs=1e-4)
        assert all(start <= second < start + 1 for second in told["seen"]["seconds"])
        assert told["seen"]["seconds"] == pytest.approx((start + why.frame_times[0]).tolist(), abs=1e-3)
        assert ("heard" in told) == model.config.hears == (scores.heard is not None)
        if model.config.hears:
            assert told["heard"]["seconds"] == pytest.approx((start + why.audio_times[0]).tolist(), abs=1e-3)
            assert told["heard"]["shares"] == pytest.approx(why.when_audio[0].tolist(), abs=1e-4)
    assert (
        draw_timeline(scores, []).axes[-1].get_ylabel() == f"relevance of {'audio' if model.config.hears else 'video'}"
    )


def test_answers_while_it_comes_in(variant, film):
    """In windows, those of a timeline, each with the last frame of its window; a model that hears hears them."""
    model, _ = toy(variant)
    processor = HolovidProcessor.for_model(model).video_processor
    scores = timeline(model, processor, film, 1.0, 0.5, progress=False)
    with LiveSource(str(film)) as source:
        told = [moment for moment in watch(model, processor, source, window=1.0, top_k=99) if moment.is_new]
    frame = 1 / source.frame_rate
    assert [moment.seconds for moment in told] == pytest.approx(scores.starts + 1.0 - frame, abs=1e-3)
    for moment, row in zip(told, scores.scores, strict=True):
        answers = {answer["label"]: answer["score"] for answer in moment.answers}
        assert answers == pytest.approx(dict(zip(scores.labels, row.tolist(), strict=True)), abs=1e-5)


def test_vectors(variant, film, tmp_path):
    """Of each window, the one of the clip, as wide as what the classifier reads is, and not the same for all."""
    model, _ = toy(variant)
    processor = HolovidProcessor.for_model(model)
    table = embed_clips(model, processor, [NamedClip(str(film))], tmp_path / "windows.parquet", window=1.0)
    starts = table["start"].to_pylist()
    assert starts == [0.0, 1.0, 2.0]
    parts = [NamedClip(str(film), start, start + 1.0) for start in starts]
    alone = embed_clips(model, processor, parts, tmp_path / "clips.parquet", batch_size=2)
    found, want = (np.array(each["vector"].to_pylist()) for each in (table, alone))
    assert found == pytest.approx(want, abs=1e-5) and found.std(axis=0).max() > 1e-4
