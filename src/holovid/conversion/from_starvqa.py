"""Tensor names of the released StarVQA checkpoints: a TimeSformer with another head."""

from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from holovid.configuration.configuration_starvqa import StarVQAConfig
from holovid.conversion.checkpoint import Names, StateDict, linear, say_assumed
from holovid.conversion.from_timesformer import backbone_names, backbone_settings, bare
from holovid.modeling.modeling_starvqa import StarVQAForVideoQuality

ENDS = (0, 5)  # first and last released anchor


def starvqa(
    state_dict: dict[str, Tensor],
    image_size: int | tuple[int, int] | None = None,
    num_frames: int | None = None,
    num_attention_heads: int | None = None,
    score_range: list[float] | None = None,
) -> tuple[type[PreTrainedModel], PreTrainedConfig, Names, StateDict]:
    """StarVQA as released. Not in the tensors: heads, and the score range of its data.

    Anchors are spread evenly from 0 to 5, one for each output; no checkpoint has the released code's support vectors.
    """
    state_dict = bare(state_dict)
    heads = ("head.fc1.weight", "head.fc2.weight")
    settings = backbone_settings(state_dict, heads, image_size, num_frames, num_attention_heads)
    (first, last), count = ENDS, state_dict["head.fc2.weight"].shape[0]
    anchors = [first + (last - first) * place / (count - 1) for place in range(count)]
    config = StarVQAConfig(**settings, anchors=anchors, **say_assumed({"score_range": (score_range, (0, 100))}))
    head = linear("head.fc1", "classifier.dense") | linear("head.fc2", "classifier.out_proj")
    return StarVQAForVideoQuality, config, backbone_names(state_dict, config, head), state_dict
