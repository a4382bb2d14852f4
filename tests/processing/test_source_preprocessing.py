"""Models that start from others prepare frames as those did: `HolovidProcessor.for_model(model, source=...)`."""

import json

import numpy as np
import PIL.Image
import pytest
import torch
from log_messages import messages_of
from tiny_ca2st import CA2ST, CAST, tiny_config
from transformers import (
    CLIPImageProcessor,
    ConvNextImageProcessor,
    VideoMAEVideoProcessor,
    ViTConfig,
    ViTImageProcessor,
    ViTModel,
)

from holovid import HolovidFeatureExtractor, HolovidProcessor, XViTConfig, XViTForVideoClassification
from holovid.processing.source_preprocessing import logger
from holovid.recipes import get_recipe
from holovid.training.arguments import RunArguments
from holovid.training.starting_points import build_processor, find_start

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
CLIPS = {"image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}
XVIT = XViTConfig(image_size=32, patch_size=8, num_frames=4)
PICTURE = np.random.default_rng(0).integers(90, 160, (40, 56, 3), dtype=np.uint8)


@pytest.fixture
def said():
    with messages_of(logger) as records:
        yield records


def saved(folder, processor):
    processor.save_pretrained(folder)
    return folder


def made(config, source, **options):
    return HolovidProcessor.for_model(config, source=source, **options).video_processor


def vit_processor(**options) -> ViTImageProcessor:
    return ViTImageProcessor(**{"size": {"height": 32, "width": 32}} | IMAGENET | options)


@pytest.mark.parametrize("as_object", [True, False])
def test_frames_are_those_of_the_image_processor(tmp_path, as_object, said):
    processor = vit_processor(resample=3)
    source = processor if as_object else saved(tmp_path, processor)
    ours = made(XVIT, source)
    assert list(ours.image_mean) == IMAGENET["image_mean"] and list(ours.image_std) == IMAGENET["image_std"]
    assert ours.resample == 3 and said == []
    seen = ours([PIL.Image.fromarray(PICTURE)] * 4, return_tensors="pt")["pixel_values_videos"][0, 0]
    expected = processor(PIL.Image.fromarray(PICTURE), return_tensors="pt")["pixel_values"][0]
    torch.testing.assert_close(seen, expected, rtol=0, atol=1 / 255 / 0.22 + 1e-5)  # theirs rounds to levels


def test_sizes_follow_the_model(tmp_path):
    clip = CLIPImageProcessor(size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32}, **CLIPS)
    assert made(XVIT, clip).size == {"shortest_edge": 40}
    larger = XViTConfig(image_size=64, patch_size=8, num_frames=4)
    assert made(larger, clip).size == {"shortest_edge": 80}
    assert made(larger, clip).crop_size == {"height": 64, "width": 64}
    assert made(larger, vit_processor()).size == {"height": 64, "width": 64}
    share = ConvNextImageProcessor(size={"shortest_edge": 28}, crop_pct=0.875, **IMAGENET)
    assert made(XVIT, share).size == {"shortest_edge": 37}, "of which a crop of 32 is 0.875"


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"size": 32}, {"height": 32, "width": 32}),
        ({"size": {"height": 32, "width": 32}, "do_center_crop": True, "crop_size": 32}, {"height": 32, "width": 32}),
        ({"size": {"shortest_edge": 36}, "do_center_crop": True, "crop_size": 32}, {"shortest_edge": 36}),
        (
            {"size": {"shortest_edge": 36, "longest_edge": 64}, "do_center_crop": True, "crop_size": 32},
            {"shortest_edge": 32},
        ),
        ({}, {"height": 32, "width": 32}),
    ],
    ids=["number", "sides and crop", "edge and crop", "both edges and crop", "none"],
)
@pytest.mark.parametrize("name", ["image_processor_type", "feature_extractor_type"])
def test_files_of_every_age(tmp_path, settings, size, name):
    kind = "ViTImageProcessor" if name == "image_processor_type" else "ViTFeatureExtractor"
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({name: kind} | IMAGENET | settings))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    ours = made(XVIT, tmp_path)
    assert list(ours.image_mean) == IMAGENET["image_mean"]
    assert ours.size == size and ours.crop_size == {"height": 32, "width": 32}
    assert int(ours.resample) == 2, "what the file leaves out is that of its class"


def test_what_is_passed_wins(tmp_path):
    ours = made(XVIT, saved(tmp_path, vit_processor()), image_mean=[0.1, 0.2, 0.3], size=48, num_frames=2)
    assert list(ours.image_mean) == [0.1, 0.2, 0.3] and list(ours.image_std) == IMAGENET["image_std"]
    assert ours.size == {"shortest_edge": 48} and ours.num_frames == 2


def test_switches_are_taken_over():
    ours = made(XVIT, vit_processor(do_normalize=False, rescale_factor=1 / 127.5))
    assert ours.do_normalize is False and ours.rescale_factor == 1 / 127.5
    assert made(XVIT, vit_processor(do_resize=False)).do_resize is False


def test_a_source_without_preprocessing_is_said(tmp_path, said):
    ViTConfig().save_pretrained(tmp_path)
    for _ in range(2):
        assert list(made(XVIT, tmp_path).image_mean) == [0.5] * 3
    assert len(said) == 1 and "no preprocessor_config.json" in said[0] and "image_mean [0.5, 0.5, 0.5]" in said[0]


@pytest.mark.parametrize("text", ["{", "[1]", '{"image_processor_type": "Absent", "size": 3}'])
def test_damaged_files_are_a_sentence(tmp_path, text):
    (tmp_path / "preprocessor_config.json").write_text(text)
    with pytest.raises(ValueError, match=r"not JSON|JSON object|cannot be read"):
        made(XVIT, tmp_path)


def test_wrong_sources():
    with pytest.raises(ValueError, match="source must be a folder, a Hub id, a model or an image processor, got int"):
        made(XVIT, 3)
    with pytest.raises(ValueError, match="for_model takes a holovid model or its configuration, got ViTConfig"):
        HolovidProcessor.for_model(ViTConfig())


def test_models_and_prepare(tmp_path):
    vit = ViTModel(ViTConfig(image_size=32, patch_size=8, hidden_size=24, num_hidden_layers=1, num_attention_heads=2,
                             intermediate_size=24), add_pooling_layer=False)  # fmt: skip
    vit.save_pretrained(tmp_path)
    saved(tmp_path, vit_processor())
    loaded = ViTModel.from_pretrained(tmp_path, add_pooling_layer=False)
    model = XViTForVideoClassification.from_image_model(loaded, num_frames=4)
    for source in (tmp_path, str(tmp_path), loaded):
        assert list(made(model, source).image_mean) == IMAGENET["image_mean"]
    recipe = get_recipe("small")
    start = find_start(RunArguments(recipe="small", data="clips", model=f"xvit={tmp_path}"), recipe)
    processor = build_processor(start, model.config, recipe)
    assert list(processor.video_processor.image_mean) == IMAGENET["image_mean"]


def test_experts(tmp_path, said):
    clip = saved(tmp_path / "clip", CLIPImageProcessor(crop_size=24, size=24, **CLIPS))
    mae = saved(tmp_path / "mae", VideoMAEVideoProcessor(crop_size=24, size=24, resample=3, **CLIPS))
    sound = tmp_path / "ast"
    sound.mkdir()
    settings = {"feature_extractor_type": "ASTFeatureExtractor", "num_mel_bins": 24, "mean": -3.0, "std": 2.0}
    (sound / "preprocessor_config.json").write_text(json.dumps(settings | {"sampling_rate": 22_050}))
    processor = HolovidProcessor.for_model(tiny_config(experts=CA2ST), {"space": clip, "time": mae, "audio": sound})
    assert list(processor.video_processor.image_mean) == CLIPS["image_mean"]
    extractor = processor.feature_extractor
    assert (extractor.mean, extractor.std, extractor.sampling_rate) == (-3.0, 2.0, 22_050)
    assert extractor.num_mel_bins == 24 and said == []
    # what an older file leaves out is that of AST, as in an extractor that nobody told anything
    settings = {"feature_extractor_type": "ASTFeatureExtractor", "num_mel_bins": 24}
    (sound / "preprocessor_config.json").write_text(json.dumps(settings))
    extractor = HolovidProcessor.for_model(tiny_config(experts=CA2ST), {"space": clip, "time": mae, "audio": sound})
    extractor, untold = extractor.feature_extractor, HolovidFeatureExtractor()
    assert (extractor.mean, extractor.std) == (untold.mean, untold.std) == (-4.2677393, 4.5689974)
    assert extractor.sampling_rate == untold.sampling_rate == 16_000
    # one clip for both: where they differ, what the configuration says, as its authors trained all experts
    other = saved(tmp_path / "other", VideoMAEVideoProcessor(crop_size=24, size=24, resample=3, **IMAGENET))
    both = made(tiny_config(experts=CAST), {"space": clip, "time": other})
    assert list(both.image_mean) == IMAGENET["image_mean"] and list(both.image_std) == IMAGENET["image_std"]
    assert len(said) == 2 and "differ in image_mean (space [0.48, 0.46, 0.41], time [0.485" in said[0]
