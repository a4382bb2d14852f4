"""Checkpoints of the "released code" of the frame-wise model: transformers' names behind `backbone.`, a head `fc`."""

from torch import Tensor

from framewise.configuration_framewise import FramewiseConfig
from framewise.modeling_framewise import FramewiseForVideoClassification
from holovid.conversion.checkpoint import Names, label_settings


def framewise(
    state_dict: dict[str, Tensor],
    image_size: int | None = None,
    num_frames: int | None = None,
    num_attention_heads: int = 1,
    id2label: dict[int, str] | None = None,
):
    """Not in the tensors: heads, and frames."""
    patches = state_dict["backbone.embeddings.patch_embeddings.projection.weight"]
    positions = state_dict["backbone.embeddings.position_embeddings"].shape[1] - 1
    layers = {name.split(".")[2] for name in state_dict if name.startswith("backbone.layers.")}
    config = FramewiseConfig(
        image_size=image_size or round(positions**0.5) * patches.shape[-1],
        patch_size=patches.shape[-1],
        num_frames=num_frames or 8,
        hidden_size=patches.shape[0],
        num_hidden_layers=len(layers),
        num_attention_heads=num_attention_heads,
        intermediate_size=state_dict["backbone.layers.0.mlp.fc1.weight"].shape[0],
        **label_settings(state_dict["fc.weight"].shape[0], id2label),
    )
    names = {
        name: (name.replace("backbone.", "framewise.image_model.").replace("fc.", "classifier."),)
        for name in state_dict
    }
    return FramewiseForVideoClassification, config, Names(names), state_dict
