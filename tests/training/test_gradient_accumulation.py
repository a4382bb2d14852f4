"""Four steps of one clip, accumulated, are one step of four clips: for every loss, in Trainer and in a plain loop.

Both sum the same float32 gradients in another order. Parameters are of size 1 and move by up to 1; they may differ by
1e-5.
"""

import copy
from pathlib import Path

import pytest
import tiny_ca2st
import tiny_xvit
import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, Trainer, TrainingArguments, default_data_collator

CLIPS, RATE = 4, 0.05
Rows = list[dict[str, torch.Tensor]]


def xvit(labels: torch.Tensor, **config) -> tuple[PreTrainedModel, Rows]:
    model = tiny_xvit.tiny(classifier_dropout=0.0, **config)
    clips = tiny_xvit.clips(model.config, batch=CLIPS)
    return model, [{"pixel_values_videos": clip, "labels": label} for clip, label in zip(clips, labels, strict=True)]


def ca2st(labels: dict[str, torch.Tensor], actions: bool = False) -> tuple[PreTrainedModel, Rows]:
    make = tiny_ca2st.tiny_actions if actions else tiny_ca2st.tiny
    model = make(experts=tiny_ca2st.CA2ST)
    model.freeze_experts()
    inputs = tiny_ca2st.clips(model.config, batch=CLIPS) | labels
    return model, [{name: value[index] for name, value in inputs.items()} for index in range(CLIPS)]


CASES = {
    "single label": lambda: xvit(torch.tensor([0, 3, 3, 4])),
    "soft labels": lambda: xvit(torch.rand(CLIPS, 5).softmax(-1), problem_type="single_label_classification"),
    "multi-label": lambda: xvit((torch.rand(CLIPS, 5) > 0.5).float(), problem_type="multi_label_classification"),
    "regression": lambda: xvit(torch.randn(CLIPS, 5), problem_type="regression"),
    "CA2ST": lambda: ca2st({"labels": torch.tensor([0, 3, 3, 4])}),
    "CA2ST, verb and noun": lambda: ca2st(
        {"verb_labels": torch.tensor([0, 5, 5, 2]), "noun_labels": torch.tensor([6, 1, 0, 0])}, actions=True
    ),
    "CA2ST, soft verb and noun": lambda: ca2st(
        {"verb_labels": torch.rand(CLIPS, 6).softmax(-1), "noun_labels": torch.rand(CLIPS, 7).softmax(-1)},
        actions=True,
    ),
}


def with_trainer(model: PreTrainedModel, rows: Rows, steps: int, folder: Path) -> float:
    arguments = TrainingArguments(
        output_dir=folder, num_train_epochs=2, per_device_train_batch_size=CLIPS // steps,
        gradient_accumulation_steps=steps, optim="sgd", learning_rate=RATE, lr_scheduler_type="constant",
        max_grad_norm=0.0, save_strategy="no", report_to="none", use_cpu=True, disable_tqdm=True,
        dataloader_pin_memory=False, logging_steps=1,
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=rows)
    trainer.train()
    assert trainer.state.global_step == 2
    return float(trainer.state.log_history[0]["loss"])


def with_accelerate(model: PreTrainedModel, rows: Rows, steps: int, folder: Path) -> float:
    accelerator = Accelerator(gradient_accumulation_steps=steps, cpu=True)
    loader = DataLoader(rows, batch_size=CLIPS // steps, collate_fn=default_data_collator)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=RATE)
    model, optimizer, loader = accelerator.prepare(model.train(), optimizer, loader)
    losses = []
    for _ in range(2):
        for batch in loader:
            with accelerator.accumulate(model):
                loss = model(**batch).loss
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
            losses.append(float(loss.detach()))
    return sum(losses[:steps]) / steps


@pytest.mark.parametrize("train", [with_trainer, with_accelerate])
@pytest.mark.parametrize("case", CASES)
def test_four_times_one_is_one_times_four(case, train, tmp_path):
    whole, rows = CASES[case]()
    before = [parameter.detach().clone() for parameter in whole.parameters()]
    parts = copy.deepcopy(whole)
    losses = [train(model, rows, steps, tmp_path) for model, steps in ((whole, 1), (parts, CLIPS))]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)  # Trainer logs four digits
    moved = max((now - then).abs().max() for now, then in zip(whole.parameters(), before, strict=True))
    assert 0.01 < moved < 1, "the steps are large enough to show a wrong factor, and do not diverge"
    for (name, one), other in zip(whole.named_parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(other, one, atol=1e-5, rtol=0, msg=lambda text, name=name: f"{name}: {text}")
