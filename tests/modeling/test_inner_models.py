"""Models inside of ours start from whole checkpoints, or not at all."""

import pytest
from safetensors.torch import load_file, save_file
from tiny_where_when import tiny_config
from transformers import ASTModel, ViTForImageClassification, ViTModel

from holovid import AVTForActionAnticipation, WhereWhenForVideoClassification
from holovid.modeling.inner_models import fill_inner_model


def from_visual(family, source, audio):
    if family == "avt":
        sizes = {"head_hidden_size": 24, "head_num_attention_heads": 2, "head_num_hidden_layers": 1}
        return AVTForActionAnticipation.from_image_model(source, num_labels=4, **sizes)
    sizes = {"hidden_size": 36, "num_attention_heads": 3, "num_hidden_layers": 1}
    return WhereWhenForVideoClassification.from_experts(source, audio, num_labels=4, **sizes)


@pytest.mark.parametrize("family", ["avt", "where_when"])
def test_what_lacks_a_tensor_is_refused(family, tmp_path):
    config = tiny_config()
    audio, folder = ASTModel(config.audio_config), tmp_path / "vit"
    ViTForImageClassification(config.visual_config).save_pretrained(folder)
    from_visual(family, folder, audio)  # its classifier is left out
    weights = load_file(folder / "model.safetensors")
    weights.pop(next(name for name in weights if name.endswith("0.layernorm_after.weight")))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"1 tensor is missing \(layers.0.layernorm_after.weight\)"):
        from_visual(family, folder, audio)
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="cannot be read"):
        from_visual(family, folder, audio)


def test_tensors_of_another_model_do_not_fill_it():
    config = tiny_config()
    own, other = ViTModel(config.visual_config), ASTModel(config.audio_config)
    with pytest.raises(ValueError, match="the vit to start from lacks"):
        fill_inner_model(own, other.state_dict())
