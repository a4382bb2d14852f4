"""What is given to a model in place of its inputs: the commonest slips, each in one sentence with the cure."""

import numpy as np
import pytest
import torch
from tiny_ca2st import CA2ST, CAST, clips, tiny, tiny_actions
from transformers import BatchFeature

from holovid import CA2STModel, XViTConfig, XViTForVideoClassification, XViTModel
from holovid.modeling.streaming_xvit import XViTStream

TINY_XVIT = {
    "image_size": 16, "patch_size": 8, "num_frames": 4, "hidden_size": 24, "num_hidden_layers": 1,
    "num_attention_heads": 2, "mix_divisor": 4,
}  # fmt: skip


def xvit(cls=XViTForVideoClassification):
    return cls(XViTConfig(**TINY_XVIT)).eval()


MODELS = {
    "XViT": xvit,
    "XViT's base": lambda: xvit(XViTModel),
    "stream": lambda: XViTStream(xvit()),
    "CAST": lambda: tiny(experts=CAST),
    "CA2ST's base": lambda: CA2STModel(tiny(experts=CA2ST).config),
    "actions": lambda: tiny_actions(experts=CA2ST),
}
FRAMES = torch.rand(2, 8, 3, 24, 24)
SLIPS = {
    "batch": (BatchFeature({"pixel_values_videos": FRAMES}), r"call model\(\*\*inputs\) instead of model\(inputs\)"),
    "dict": ({"pixel_values_videos": FRAMES}, r"call model\(\*\*inputs\)"),
    "path": ("clip.mp4", "models do not open files"),
    "list of paths": (["clip.mp4"], "must be a tensor, got list"),
    "list": ([FRAMES[0]], "must be a tensor, got list"),
    "array": (FRAMES.numpy(), "must be a tensor, got ndarray.*return_tensors='pt'"),
    "number": (3, "must be a tensor, got int"),
    "nothing": (None, "got None"),
    "bytes": ((FRAMES * 255).to(torch.uint8), "must be normalised floats.*got uint8"),
    "integers": ((FRAMES * 255).to(torch.int64), "must be normalised floats.*got int64"),
    "bool": (FRAMES > 0.5, "must be normalised floats.*got bool"),
    "complex": (FRAMES.to(torch.complex64), "real numbers"),
    "one frame": (FRAMES[0, 0], r"got \(3, 24, 24\)$"),
    "one frame with its channels in the middle": (FRAMES[0, 0].transpose(0, 1), r"got \(24, 3, 24\)$"),
    "one row": (FRAMES[0, 0, 0, 0], r"got \(24,\)$"),
    "one clip": (FRAMES[0], r"add the batch axis: pixel_values_videos\[None\]"),
    "views": (FRAMES[None], r"pixel_values_videos.flatten\(0, 1\)"),
    "channels last": (FRAMES.permute(0, 1, 3, 4, 2), r"permute\(0, 1, 4, 2, 3\)"),
    "channels before frames": (FRAMES.transpose(1, 2), r"transpose\(1, 2\)"),
    "grey": (FRAMES[:, :, :1], r"got \(2, 8, 1, 24, 24\)"),
    "no frame": (FRAMES[:, :0], r"got .*\(2, 0, 3, 24, 24\)"),
}


@pytest.mark.parametrize("slip", SLIPS)
@pytest.mark.parametrize("name", MODELS)
def test_pixels(name, slip):
    value, message = SLIPS[slip]
    with pytest.raises(ValueError, match=message):
        MODELS[name]()(value)


@pytest.mark.parametrize("make", [tiny, tiny_actions])
def test_sound_masks_and_times(make):
    model = make(experts=CA2ST)
    inputs = clips(model.config)
    for name in ("input_values", "frame_times", "audio_span"):
        with pytest.raises(ValueError, match=f"{name} must be a tensor, got list"):
            model(**inputs | {name: inputs[name].tolist()})
    for name, value, message in (
        ("input_values", inputs["input_values"].to(torch.int32), "input_values must be normalised floats"),
        ("audio_mask", torch.tensor([0.5, 1.0]), "audio_mask must be True for clips with sound.*float32"),
        ("audio_mask", [True, False], "audio_mask must be a tensor, got list"),
        ("audio_mask", torch.tensor([[True], [False]]), r"audio_mask must be of shape \(2,\)"),
        ("frame_times", np.zeros((2, 8)), "frame_times must be a tensor, got ndarray"),
    ):
        with pytest.raises(ValueError, match=message):
            model(**inputs | {name: value})
    whole = {"audio_mask": torch.tensor([1, 0])}
    assert torch.equal(model(**inputs | whole)[0], model(**inputs | {"audio_mask": whole["audio_mask"].bool()})[0])


def test_labels_that_are_no_tensor():
    with pytest.raises(ValueError, match="labels must be a tensor, got list"):
        xvit()(torch.rand(2, 4, 3, 16, 16), labels=[0, 1])
    model = tiny_actions(experts=CAST)
    with pytest.raises(ValueError, match="noun_labels must be a tensor, got int"):
        model(**clips(model.config), verb_labels=torch.tensor([0, 1]), noun_labels=1)


def test_frames_of_no_size_with_resized_positions():
    with pytest.raises(ValueError, match="not a multiple of the patch size"):
        xvit()(torch.rand(1, 4, 3, 0, 16), interpolate_pos_encoding=True)
