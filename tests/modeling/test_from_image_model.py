"""Starting from transformers' ViT: a still clip must give the image model's own features."""

import pytest
import torch
from tiny_xvit import image_model, tiny

from holovid import XViTForVideoClassification


@pytest.mark.parametrize("given", ["model", "backbone", "folder"])
@torch.no_grad()
def test_a_still_clip_gives_the_image_models_features(given, tmp_path, caplog):
    vit = image_model()
    vit.save_pretrained(tmp_path)
    source = {"model": vit, "backbone": vit.vit, "folder": str(tmp_path)}[given]
    with caplog.at_level("WARNING", logger="transformers"):
        model = XViTForVideoClassification.from_image_model(source, num_frames=3, num_labels=7, mix_layers=[]).eval()
    image = torch.randn(2, 3, 32, 32)
    features = model.xvit(image[:, None].expand(-1, 3, -1, -1, -1)).last_hidden_state
    expected = vit.vit(image).last_hidden_state
    for frame in range(3):
        torch.testing.assert_close(features[:, frame], expected, rtol=1e-4, atol=1e-4)
    new = caplog.text.partition("New, to be trained:")[2]
    assert "temporal_embeddings" in new and "classifier" in new and "xvit.layers" not in new and new.count("\n") == 1
    assert model.config.layer_norm_eps == vit.config.layer_norm_eps and model.num_labels == 7


def test_image_positions_are_resized():
    vit = image_model()
    model = XViTForVideoClassification.from_image_model(vit, image_size=(16, 48), num_frames=2)
    expected = vit.vit.embeddings.interpolate_pos_encoding(torch.zeros(1, 1 + 12, 36), 16, 48)
    torch.testing.assert_close(model.xvit.embeddings.position_embeddings, expected)


def test_image_models_that_do_not_fit():
    with pytest.raises(ValueError, match=r"have no place in the model, .*: .*mlp\.fc1"):
        XViTForVideoClassification.from_image_model(image_model(), intermediate_size=48)
    with pytest.raises(ValueError, match=r"have no place in the model, .*: .*layers\.1"):
        XViTForVideoClassification.from_image_model(image_model(), num_hidden_layers=1)
    with pytest.raises(ValueError, match="source must be a transformers ViT, got a xvit model"):
        XViTForVideoClassification.from_image_model(tiny())
