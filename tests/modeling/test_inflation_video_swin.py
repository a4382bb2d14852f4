"""Video Swin out of an image Swin: numbers of the released code, and a still clip that is an image."""

import pytest
import torch
from golden_numbers import golden, golden_input, video_swin_weights
from safetensors.torch import save_file
from tiny_video_swin import image_swin, tiny
from transformers import SwinModel

from holovid import VideoSwinForVideoClassification
from holovid.modeling.inflation_video_swin import RELEASED, own_name

CASES = ["inflate_same_window", "inflate_resize_window"]
INFLATED = "inflated (3-D names without the backbone. prefix)"


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_released_files_become_what_the_reference_makes_of_them(name, suffix, tmp_path):
    case = golden(f"videoswin/{name}.json")
    tensors = video_swin_weights(case)
    head = {kind: tensors.pop(f"cls_head.fc_cls.{kind}") for kind in ("weight", "bias")}
    tensors["layers.0.blocks.1.attn_mask"] = torch.zeros(4, 9, 9)
    tensors["layers.0.blocks.1.attn.relative_position_index"] = torch.zeros(9, 9)
    path = tmp_path / f"swin{suffix}"
    if suffix == ".pth":
        torch.save({"model": tensors}, path)
    else:
        save_file(tensors, path)
    model = VideoSwinForVideoClassification.from_image_model(path, window_size=(2, 3, 3), num_labels=6).eval()
    own = model.video_swin.state_dict()
    for reference, record in case["extra"][INFLATED].items():
        tensor = own[own_name(reference, RELEASED)]
        assert list(tensor.shape) == record["shape"]
        torch.testing.assert_close(tensor.flatten()[:16], torch.tensor(record["first"][:16]), rtol=0, atol=1e-6)
        assert tensor.double().abs().sum().item() == pytest.approx(record["abs_sum"], rel=1e-5)
    model.classifier.load_state_dict(head)
    logits = model(golden_input(case).transpose(1, 2)).logits
    torch.testing.assert_close(logits, torch.tensor(case["logits"]["values"]), rtol=0, atol=2e-6)


@pytest.mark.parametrize("given", ["model", "backbone", "folder"])
@torch.no_grad()
def test_a_still_clip_gives_the_image_models_features(given, tmp_path, caplog):
    swin = image_swin()
    swin.save_pretrained(tmp_path)
    source = {"model": swin, "backbone": swin.swin, "folder": str(tmp_path)}[given]
    with caplog.at_level("WARNING", logger="transformers"):
        model = VideoSwinForVideoClassification.from_image_model(
            source, window_size=(4, 3, 3), num_frames=10, num_labels=7
        ).eval()
    image = torch.randn(2, 3, 48, 48)
    expected = swin.swin(image).last_hidden_state.unflatten(1, (6, 6))
    # 6 tokens of time in windows of 4: no frame is filled up where they are 4 or 8
    for frames in (8, 16):
        features = model.video_swin(image[:, None].expand(-1, frames, -1, -1, -1)).last_hidden_state
        for moment in features.unbind(1):
            torch.testing.assert_close(moment, expected, rtol=1e-3, atol=1e-4)
    new = caplog.text.partition("New, to be trained:")[2]
    assert "classifier" in new and "video_swin" not in new
    assert model.config.num_frames == 10 and model.num_labels == 7 and model.config.patch_size == [2, 4, 4]


def test_sizes_come_from_the_image_model():
    model = VideoSwinForVideoClassification.from_image_model(
        image_swin(depths=[1, 2, 1], num_heads=[2, 3, 4], qkv_bias=False, mlp_ratio=2.0)
    )
    config = model.config
    assert (config.depths, config.num_heads, config.window_size) == ([1, 2, 1], [2, 3, 4], [8, 3, 3])
    assert (config.qkv_bias, config.mlp_ratio, config.image_size) == (False, 2.0, 48)


def test_image_models_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match=r"have no place in the model, .*: .*embeddings"):
        VideoSwinForVideoClassification.from_image_model(image_swin(), embed_dim=48)
    with pytest.raises(ValueError, match=r"the image model lacks stages\.1\.layers\.2"):
        VideoSwinForVideoClassification.from_image_model(image_swin(), depths=(2, 3))
    with pytest.raises(ValueError, match="source must be a transformers Swin, got a video_swin model"):
        VideoSwinForVideoClassification.from_image_model(tiny())
    with pytest.raises(ValueError, match="position_embeddings"):
        VideoSwinForVideoClassification.from_image_model(image_swin(use_absolute_embeddings=True))
    with pytest.raises(ValueError, match="a folder or a transformers Swin, got a int"):
        VideoSwinForVideoClassification.from_image_model(7)
    (tmp_path / "swin.pth").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read"):
        VideoSwinForVideoClassification.from_image_model(tmp_path / "swin.pth")
    torch.save({"model": {"weight": torch.zeros(3)}}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="not a checkpoint of an image Swin: it has weight"):
        VideoSwinForVideoClassification.from_image_model(tmp_path / "other.pth")


def test_a_folder_that_lacks_tensors(tmp_path):
    swin = image_swin()
    state = {
        name: tensor for name, tensor in swin.state_dict().items() if "layers.1.blocks.0.mlp.fc1.weight" not in name
    }
    swin.save_pretrained(tmp_path, state_dict=state)
    with pytest.raises(ValueError, match=r"mlp\.fc1\.weight"):
        VideoSwinForVideoClassification.from_image_model(tmp_path)
    assert isinstance(SwinModel.from_pretrained(tmp_path), SwinModel)
