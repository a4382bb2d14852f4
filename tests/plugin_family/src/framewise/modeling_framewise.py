"""Frame-wise: an image transformer on each frame, and a classifier of the mean over frames.

clip (B, T, C, H, W) -> transformers' ViT -> class tokens (B, T, D) -> mean (B, D) -> logits

B clips, T frames, C channels, H, W pixels, D width.
"""

import torch
from torch import Tensor, nn
from transformers import ViTConfig, ViTModel
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutputWithPooling, ImageClassifierOutput
from transformers.utils.generic import can_return_tuple

from framewise.configuration_framewise import FramewiseConfig
from holovid.modeling.model_inputs import check_pixels
from holovid.modeling.modeling_common import HolovidPreTrainedModel, video_classification_loss
from holovid.modeling.tasks import LABEL


class FramewisePreTrainedModel(HolovidPreTrainedModel):
    config: FramewiseConfig
    base_model_prefix = "framewise"
    input_modalities = ("video",)
    supports_gradient_checkpointing = True
    _no_split_modules = ["ViTLayer"]  # noqa: RUF012
    _supports_sdpa = True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        if module is getattr(self, "classifier", None):
            init.zeros_(module.bias)


class FramewiseModel(FramewisePreTrainedModel):
    def __init__(self, config: FramewiseConfig):
        super().__init__(config)
        self.image_model = ViTModel(ViTConfig(**config.image_model_settings), add_pooling_layer=False)
        self.post_init()

    @can_return_tuple
    def forward(self, pixel_values_videos: Tensor | None = None, **kwargs) -> BaseModelOutputWithPooling:
        """Frames (B, T, C, H, W) -> `last_hidden_state` (B, T, S, D), `pooler_output` (B, D)."""
        check_pixels(pixel_values_videos, self.config.num_channels, "(clips, frames, channels, height, width)")
        clips, frames = pixel_values_videos.shape[:2]
        tokens = self.image_model(pixel_values_videos.flatten(0, 1)).last_hidden_state.unflatten(0, (clips, frames))
        return BaseModelOutputWithPooling(last_hidden_state=tokens, pooler_output=tokens[:, :, 0].mean(1))


class FramewiseForVideoClassification(FramewisePreTrainedModel):
    tasks = (LABEL,)

    def __init__(self, config: FramewiseConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.framewise = FramewiseModel(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self, pixel_values_videos: Tensor | None = None, labels: Tensor | None = None, **kwargs
    ) -> ImageClassifierOutput:
        logits = self.classifier(self.framewise(pixel_values_videos).pooler_output)
        loss = None if labels is None else video_classification_loss(self, labels, logits, **kwargs)
        return ImageClassifierOutput(loss=loss, logits=logits)


__all__ = ["FramewiseForVideoClassification", "FramewiseModel", "FramewisePreTrainedModel"]
