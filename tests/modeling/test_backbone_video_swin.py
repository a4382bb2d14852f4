"""Video Swin as a backbone: feature maps by stage, through transformers' AutoBackbone."""

import copy

import pytest
import torch
from tiny_video_swin import clips, tiny, tiny_config
from torch import nn
from transformers import AutoBackbone

from holovid import VideoSwinBackbone


@torch.no_grad()
def test_feature_maps_are_the_stages():
    config = tiny_config(out_indices=[0, 1, 2], depths=(1, 2), window_size=(4, 3, 2))
    backbone = VideoSwinBackbone(config).eval()
    batch = clips(config)
    outputs = backbone(batch, output_hidden_states=True)
    assert [tuple(each.shape) for each in outputs.feature_maps] == [
        (2, 24, 5, 7, 7), (2, 24, 5, 7, 7), (2, 48, 5, 4, 4),
    ]  # fmt: skip
    assert backbone.channels == [24, 24, 48] and backbone.out_features == ["stem", "stage1", "stage2"]
    for states, feature_map in zip(outputs.hidden_states, outputs.feature_maps, strict=True):
        expected = nn.functional.layer_norm(states, states.shape[-1:])
        torch.testing.assert_close(feature_map.movedim(1, -1), expected, rtol=1e-4, atol=1e-4)
    assert backbone(batch).hidden_states is None
    assert backbone(batch, return_dict=False)[0][2].shape == (2, 48, 5, 4, 4)


def test_default_is_the_last_stage():
    backbone = AutoBackbone.from_config(tiny_config())
    assert type(backbone) is VideoSwinBackbone and backbone.out_features == ["stage2"]
    assert len(backbone(clips(backbone.config)).feature_maps) == 1


def test_weights_of_a_classifier_load_and_every_stage_learns(tmp_path):
    model = tiny()
    model.save_pretrained(tmp_path)
    backbone = VideoSwinBackbone.from_pretrained(tmp_path, out_indices=[1, 2])
    for name, tensor in model.video_swin.state_dict().items():
        assert torch.equal(backbone.video_swin.state_dict()[name], tensor)
    batch = clips(backbone.config)
    sum(each.square().mean() for each in backbone.train()(batch).feature_maps).backward()
    silent = {name for name, p in backbone.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    # the norm in front of the classifier has no part in feature maps
    assert {name for name in silent if not name.endswith(".k_proj.bias")} == {
        "video_swin.layernorm.weight", "video_swin.layernorm.bias",
    }  # fmt: skip
    backbone.save_pretrained(tmp_path / "again")
    again = VideoSwinBackbone.from_pretrained(tmp_path / "again").eval()
    assert again.out_features == ["stage1", "stage2"]
    with torch.no_grad():
        for one, other in zip(again(batch).feature_maps, backbone.eval()(batch).feature_maps, strict=True):
            assert torch.equal(one, other)


def test_what_is_no_clip_and_no_stage():
    with pytest.raises(ValueError, match=r"\(clips, frames, 3, height, width\), got \(3, 28, 28\)"):
        VideoSwinBackbone(tiny_config())(torch.randn(3, 28, 28))
    config = copy.deepcopy(tiny_config())
    with pytest.raises(ValueError, match="out_indices must be valid indices"):
        config.out_indices = [7]
