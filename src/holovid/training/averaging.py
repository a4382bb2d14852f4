"""The running average of a model's weights over training (EMA), as a Trainer callback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import PreTrainedModel, TrainerCallback

AVERAGE_NAME = "average.safetensors"  # its file in a checkpoint


class WeightAverage(TrainerCallback):
    """After each step, average = decay * average + (1 - decay) * weights; starts with the weights of the first step.

    It is a copy of the model on the same device. Checkpoints store it in its own file, beside the trained weights.
    Raises `ValueError` for a decay that is not between 0 and 1.
    """

    def __init__(self, model: PreTrainedModel, decay: float):
        if not 0 < decay < 1:
            raise ValueError(f"the average's decay must be between 0 and 1, such as 0.999, got {decay}")
        self.model = model
        self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
        self.is_applied = False

    def on_optimizer_step(self, args, state, control, **kwargs):
        self.average.update_parameters(self.model)

    @torch.no_grad()
    def on_train_end(self, args, state, control, **kwargs):
        if self.average.n_averaged:  # the model is the average from now on
            for own, averaged in zip(self.model.parameters(), self.average.module.parameters(), strict=True):
                own.copy_(averaged)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model the averaged weights inside the block; a block within it changes nothing."""
        if self.is_applied:
            yield
            return
        self.swap()
        self.is_applied = True
        try:
            yield
        finally:
            self.is_applied = False
            self.swap()

    @torch.no_grad()
    def swap(self) -> None:
        if not self.average.n_averaged:  # no step yet
            return
        for own, averaged in zip(self.model.parameters(), self.average.module.parameters(), strict=True):
            kept = own.clone()
            own.copy_(averaged)
            averaged.copy_(kept)

    def save(self, folder: str | Path) -> None:
        save_file(
            {name: tensor.contiguous() for name, tensor in self.average.state_dict().items()},
            Path(folder, AVERAGE_NAME),
        )

    def load(self, folder: str | Path) -> None:
        """Load the average of a checkpoint. Raises `ValueError` if it has none."""
        file = Path(folder, AVERAGE_NAME)
        if not file.is_file():
            raise ValueError(
                f"{folder} has no {AVERAGE_NAME}: that run did not average its weights; leave out --ema_decay"
            )
        self.average.load_state_dict(load_file(file))
