"""The running average of a model's weights over training (EMA), as a part of a Trainer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import PreTrainedModel, TrainerCallback

AVERAGE_NAME = "average.safetensors"  # its file in a checkpoint


class WeightAverage(TrainerCallback):
    """After each step, average = decay * average + (1 - decay) * weights; it starts as the weights of the first step.

    It is a copy of the model on the same device. Checkpoints keep it in a file of its own, beside the weights that
    training goes on with.

    Raises `ValueError` for a decay that is not between 0 and 1.
    """

    def __init__(self, model: PreTrainedModel, decay: float):
        if not 0 < decay < 1:
            raise ValueError(f"the average's decay must be between 0 and 1, such as 0.999, got {decay}")
        self.model = model
        self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))

    def on_optimizer_step(self, args, state, control, **kwargs):
        self.average.update_parameters(self.model)

    @torch.no_grad()
    def on_train_end(self, args, state, control, **kwargs):
        if self.average.n_averaged:  # what is saved and used from now on is the average
            for own, averaged in zip(self.model.parameters(), self.average.module.parameters(), strict=True):
                own.copy_(averaged)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block the model has the averaged weights."""
        self.swap()
        try:
            yield
        finally:
            self.swap()

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the model's weights and their average."""
        if not self.average.n_averaged:  # there has been no step to average
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
        """Go on with the average of a checkpoint. Raises `ValueError` if it has none."""
        file = Path(folder, AVERAGE_NAME)
        if not file.is_file():
            raise ValueError(f"{folder} has no {AVERAGE_NAME}: that run did not average its weights")
        self.average.load_state_dict(load_file(file))
