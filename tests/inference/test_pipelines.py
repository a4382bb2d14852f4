"""`pipeline("video-classification")` gives what processor and model give by hand, one by one and in batches."""

import io
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import torch
import transformers
from clips import write_clip
from tiny_ca2st import tiny_config
from tiny_xvit import tiny
from transformers import AutoModelForVideoClassification, AutoVideoProcessor, pipeline
from transformers.pipelines.pt_utils import KeyDataset
from typer.testing import CliRunner

from holovid import (
    CA2STForActionRecognition,
    HolovidProcessor,
    HolovidVideoProcessor,
    VideoClassificationPipeline,
    load,
)
from holovid.cli import app
from holovid.processing.video_decoding import open_video

LABELS = {0: "left", 1: "right", 2: "up", 3: "down", 4: "still"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipelines") / "model"
    torch.manual_seed(0)
    tiny(id2label=LABELS).save_pretrained(folder)
    HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clips(folder):
    """Three videos; the last one has fewer frames than the model takes."""
    lengths = {"a.mp4": 24, "b.mp4": 31, "short.mp4": 4}
    return [
        str(write_clip(folder.parent / name, frames, seed=seed)) for seed, (name, frames) in enumerate(lengths.items())
    ]


@pytest.fixture(params=[transformers.VideoClassificationPipeline, VideoClassificationPipeline], ids=["stock", "ours"])
def either(request, folder):
    return pipeline("video-classification", model=str(folder), pipeline_class=request.param)


@pytest.fixture
def ours(folder):
    return pipeline("video-classification", model=str(folder), pipeline_class=VideoClassificationPipeline)


def by_hand(folder, video, top_k: int = 5, **options) -> list[dict]:
    """The answer by processor and model."""
    inputs = AutoVideoProcessor.from_pretrained(folder)(video, return_tensors="pt", **options)
    with torch.no_grad():
        logits = AutoModelForVideoClassification.from_pretrained(folder)(**inputs).logits
    scores, indices = logits[0].softmax(-1).topk(top_k)
    return [{"score": score, "label": LABELS[i]} for score, i in zip(scores.tolist(), indices.tolist(), strict=True)]


def assert_close(answers, expected):
    assert [answer["label"] for answer in answers] == [answer["label"] for answer in expected]
    assert [answer["score"] for answer in answers] == pytest.approx([answer["score"] for answer in expected], abs=1e-6)


def test_one_video(either, folder, clips):
    for clip in clips:
        assert_close(either(clip), by_hand(folder, clip))


def test_verbs_and_nouns(clips):
    """A pair has the product of both probabilities, over all views."""
    torch.manual_seed(0)
    classes = {"id2verb": {0: "open", 1: "close"}, "id2noun": {0: "door", 1: "box", 2: "tap"}}
    config = tiny_config(experts=["space", "time"], num_verbs=2, num_nouns=3, **classes)
    model = CA2STForActionRecognition(config).eval()
    processor = HolovidProcessor.for_model(config, num_views=2).video_processor
    classify = VideoClassificationPipeline(model=model, video_processor=processor)
    inputs = {name: value[0] for name, value in processor(clips[0], return_tensors="pt").items()}
    with torch.no_grad():
        outputs = model(**inputs)
    verbs, nouns = (logits.mean(0).softmax(0) for logits in (outputs.verb_logits, outputs.noun_logits))
    expected = {
        f"{verb} {noun}": float(verbs[i] * nouns[j])
        for i, verb in enumerate(["open", "close"])
        for j, noun in enumerate(["door", "box", "tap"])
    }
    answers = classify(clips[0], top_k=10)
    assert {answer["label"]: answer["score"] for answer in answers} == pytest.approx(expected, abs=1e-6)
    assert [answer["label"] for answer in answers] == sorted(expected, key=expected.__getitem__, reverse=True)
    with pytest.raises(ValueError, match="softmax or none for pairs of classes, got sigmoid"):
        classify(clips[0], function_to_apply="sigmoid")


def test_models_of_transformers_need_no_torchcodec(clips, tmp_path, monkeypatch):
    """Files are decoded with PyAV, as many frames as the model takes, and the rest is what their processor makes."""
    monkeypatch.setattr(
        "transformers.video_processing_utils.is_torchcodec_usable", lambda *arguments, **options: False
    )
    sizes = {"image_size": 32, "patch_size": 16, "hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.VideoMAEConfig(**sizes, intermediate_size=32, num_frames=4, id2label=LABELS)
    transformers.VideoMAEForVideoClassification(config).save_pretrained(tmp_path)
    processor = transformers.VideoMAEVideoProcessor(size={"shortest_edge": 32}, crop_size=32)
    processor.save_pretrained(tmp_path)
    model, saved = load(tmp_path)
    label = VideoClassificationPipeline(model=model, video_processor=saved)
    for clip in clips:
        with open_video(clip) as video:
            numbers = processor.sample_frames(video.metadata, num_frames=4)
            frames, _ = video.frames(numbers)
        inputs = processor(frames, return_tensors="pt")
        with torch.no_grad():
            scores = model(**inputs).logits[0].softmax(-1)
        told = {answer["label"]: answer["score"] for answer in label(clip)}
        assert [told[name] for name in LABELS.values()] == pytest.approx(scores.tolist(), abs=1e-6)
    result = CliRunner().invoke(app, ["classify", str(tmp_path), *clips, "--json"])
    assert result.exit_code == 0, result.output


def test_list(either, folder, clips):
    answers = either(clips)
    assert isinstance(answers, list) and len(answers) == 3
    for answer, clip in zip(answers, clips, strict=True):
        assert_close(answer, by_hand(folder, clip))


def test_generator_is_answered_lazily(either, folder, clips):
    read = []

    def videos():
        for clip in clips:
            read.append(clip)
            yield clip

    answers = iter(either(videos()))
    assert_close(next(answers), by_hand(folder, clips[0]))
    assert len(read) < 3
    assert len(list(answers)) == 2


def test_column_of_a_dataset(either, folder, clips):
    answers = list(either(KeyDataset([{"video": clip} for clip in clips], "video")))
    for answer, clip in zip(answers, clips, strict=True):
        assert_close(answer, by_hand(folder, clip))


def test_top_k(either, folder, clips):
    assert_close(either(clips[0], top_k=2), by_hand(folder, clips[0], top_k=2))
    assert len(either(clips[0], top_k=99)) == 5


def test_function_to_apply(either, clips):
    logits = {answer["label"]: answer["score"] for answer in either(clips[0], function_to_apply="none")}
    for answer in either(clips[0], function_to_apply="sigmoid"):
        assert answer["score"] == pytest.approx(1 / (1 + np.exp(-logits[answer["label"]])), abs=1e-6)
    with pytest.raises(ValueError, match="Invalid value for `function_to_apply`"):
        either(clips[0], function_to_apply="exp")


def test_kinds_of_video(either, folder, clips):
    expected = by_hand(folder, clips[0])
    with open(clips[0], "rb") as file:
        content = file.read()
        assert_close(either(file), expected)
    assert_close(either(content), expected)
    assert_close(either(io.BytesIO(content)), expected)
    for row in ({"path": clips[0], "bytes": None}, {"path": None, "bytes": content}):  # datasets.Video(decode=False)
        assert_close(either(row), expected)
    frames = np.random.default_rng(0).integers(0, 256, (9, 20, 24, 3), dtype=np.uint8)
    assert_close(either(frames), by_hand(folder, frames))


def test_url(either, folder, clips, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    handler = partial(SimpleHTTPRequestHandler, directory=folder.parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        answer = either(f"http://127.0.0.1:{server.server_port}/a.mp4")
        server.shutdown()
    assert_close(answer, by_hand(folder, clips[0]))


@pytest.mark.parametrize("as_generator", [False, True])
@pytest.mark.parametrize("batch_size", [2, 3, 8])
def test_batches(ours, folder, clips, batch_size, as_generator):
    sizes = []
    ours.model.register_forward_pre_hook(
        lambda module, args, kwargs: sizes.append(len(kwargs["pixel_values_videos"])), with_kwargs=True
    )
    videos = (clip for clip in clips) if as_generator else clips
    answers = list(ours(videos, batch_size=batch_size))
    assert sizes == {2: [2, 1], 3: [3], 8: [3]}[batch_size]
    for answer, clip in zip(answers, clips, strict=True):
        assert_close(answer, by_hand(folder, clip))


@pytest.mark.slow
@pytest.mark.parametrize("as_generator", [False, True])
def test_workers(ours, folder, clips, as_generator):
    videos = (clip for clip in clips) if as_generator else clips
    answers = list(ours(videos, batch_size=2, num_workers=2))
    for answer, clip in zip(answers, clips, strict=True):
        assert_close(answer, by_hand(folder, clip))


def test_batch_size_given_once_for_all(folder, clips):
    ours = pipeline("video-classification", str(folder), pipeline_class=VideoClassificationPipeline, batch_size=2)
    for answer, clip in zip(ours(clips), clips, strict=True):
        assert_close(answer, by_hand(folder, clip))


def test_clips_of_different_size_are_not_one_batch(folder, clips, tmp_path):
    wide = str(write_clip(tmp_path / "wide.mp4", size=(64, 128)))
    ours = pipeline("video-classification", str(folder), pipeline_class=VideoClassificationPipeline)
    with pytest.raises(
        ValueError, match=r"same size, got pixel_values_videos of \(6, 3, 16, 32\) and \(6, 3, 21, 16\)"
    ):
        ours([clips[0], wide], batch_size=2, do_center_crop=False)


def test_sampling_of_the_processor_is_honoured(folder, clips, tmp_path):
    """The stock class asks for as many frames as the configuration says, whatever the processor was saved with."""
    pipe = pipeline("video-classification", model=str(folder), pipeline_class=VideoClassificationPipeline)
    pipe.video_processor.num_frames = 3
    pipe.video_processor.sampling = "dense"
    pipe.save_pretrained(tmp_path)
    ours = pipeline("video-classification", model=str(tmp_path), pipeline_class=VideoClassificationPipeline)
    expected = by_hand(folder, clips[0], num_frames=3, sampling="dense")
    assert_close(ours(clips[0]), expected)
    stock = pipeline("video-classification", model=str(tmp_path))
    assert_close(stock(clips[0]), by_hand(folder, clips[0], num_frames=6, sampling="dense"))
    assert stock(clips[0]) != expected


def test_processor_options(ours, folder, clips):
    options = {"num_frames": 9, "sampling": "segments"}
    assert_close(ours(clips[0], **options), by_hand(folder, clips[0], **options))
    always = pipeline("video-classification", str(folder), pipeline_class=VideoClassificationPipeline, **options)
    assert_close(always(clips[0]), by_hand(folder, clips[0], **options))
    with pytest.raises((ValueError, TypeError), match="frame_sampling_rate"):
        ours(clips[0], frame_sampling_rate=2)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_logits_of_views_are_averaged(ours, folder, clips, batch_size):
    answers = ours(clips, num_views=2, num_crops=3, batch_size=batch_size, function_to_apply="none")
    processor = AutoVideoProcessor.from_pretrained(folder)
    model = AutoModelForVideoClassification.from_pretrained(folder)
    for answer, clip in zip(answers, clips, strict=True):
        views = processor(clip, num_views=2, num_crops=3, return_tensors="pt").pixel_values_videos[0]
        with torch.no_grad():
            logits = torch.stack([model(pixel_values_videos=view[None]).logits[0] for view in views]).mean(0)
        by_label = {item["label"]: item["score"] for item in answer}
        assert [by_label[label] for label in LABELS.values()] == pytest.approx(logits.tolist(), abs=1e-5)


def test_saved_with_its_processor(ours, clips, tmp_path):
    ours.save_pretrained(tmp_path)
    for pipeline_class in (transformers.VideoClassificationPipeline, VideoClassificationPipeline):
        again = pipeline("video-classification", model=str(tmp_path), pipeline_class=pipeline_class)
        assert_close(again(clips[0]), ours(clips[0]))


def test_reduced_precision(folder, clips):
    ours = pipeline(
        "video-classification", str(folder), pipeline_class=VideoClassificationPipeline, dtype=torch.bfloat16
    )
    scores = [answer["score"] for answer in ours(clips, batch_size=3)[0]]
    assert scores == pytest.approx([answer["score"] for answer in by_hand(folder, clips[0])], abs=0.02)


def test_nothing_to_label(ours):
    assert ours([]) == []
    with pytest.raises(ValueError, match="without an inputs argument"):
        ours(None)


def test_what_is_not_a_video_is_named(ours, clips, tmp_path):
    (tmp_path / "notes.mp4").write_text("not a video")
    with pytest.raises(ValueError, match=r"notes\.mp4"):
        ours([clips[0], str(tmp_path / "notes.mp4")], batch_size=2)
    with pytest.raises(FileNotFoundError, match=r"absent\.mp4"):
        ours(str(tmp_path / "absent.mp4"))


def test_model_without_a_video_processor_is_refused():
    with pytest.raises(ValueError, match="requires either a video processor"):
        VideoClassificationPipeline(tiny())


@pytest.fixture
def damaged(clips, tmp_path):
    """Two good clips around two that cannot be read: one is no video, one is not there."""
    (tmp_path / "broken.mp4").write_bytes(b"this is no video")
    return [clips[0], str(tmp_path / "broken.mp4"), str(tmp_path / "nowhere.mp4"), clips[1]]


class Paths(torch.utils.data.Dataset):
    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, place):
        return self.paths[place]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "kind", [list, lambda paths: (path for path in paths), Paths], ids=["list", "generator", "dataset"]
)
def test_broken_clips_are_skipped_with_their_reason(ours, damaged, batch_size, kind):
    answers = list(ours(kind(damaged), batch_size=batch_size, on_broken="skip"))
    assert [type(answer) for answer in answers] == [list, dict, dict, list]
    assert "broken.mp4" in answers[1]["error"] and "nowhere.mp4" in answers[2]["error"]
    for answer, clip in ((answers[0], damaged[0]), (answers[3], damaged[3])):
        assert_close(answer, ours(clip))
    assert len(ours(Paths(damaged), on_broken="skip")) == 4


def test_broken_clips_alone(ours, damaged):
    assert "broken.mp4" in ours(damaged[1], on_broken="skip")["error"]
    assert [set(answer) for answer in ours(damaged[1:3], batch_size=2, on_broken="skip")] == [{"error"}] * 2


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_broken_clips_are_an_error_by_default(ours, damaged, workers):
    """The same one from a worker, not its traceback."""
    with pytest.raises(ValueError, match=r"broken\.mp4") as raised:
        ours(damaged, num_workers=workers)
    assert "Traceback" not in str(raised.value) and "\n" not in str(raised.value)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.mp4"):
        ours(damaged[2:], num_workers=workers)
    assert len(ours(damaged, num_workers=workers, on_broken="skip")) == 4


def test_choices_of_a_call(ours, clips):
    with pytest.raises(ValueError, match="on_broken must be one of raise, skip, got 'ignore'"):
        ours(clips[0], on_broken="ignore")
    for top_k in (0, -1, 2.5):
        with pytest.raises(ValueError, match="top_k must be at least 1 label"):
            ours(clips[0], top_k=top_k)
