"""Low-rank adapters on XViT with peft, as the documentation shows it."""

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tiny_xvit import clips, tiny
from transformers import Trainer, TrainingArguments

from holovid import XViTForVideoClassification
from holovid.recipes import get_recipe
from holovid.training.optimization import build_optimizer, parameter_groups

# peft asks a model for it
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def adapted(model: XViTForVideoClassification | None = None) -> PeftModel:
    config = LoraConfig(target_modules=["q_proj", "v_proj"], modules_to_save=["classifier"])
    return get_peft_model(tiny() if model is None else model, config)


def trained(name: str) -> bool:
    return "lora_" in name or "classifier.modules_to_save" in name


def test_only_adapters_and_classifier_learn():
    model = adapted().train()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.AdamW([parameter for parameter in model.parameters() if parameter.requires_grad], lr=0.01)
    inputs = clips(model.config)
    for _ in range(2):  # the first step moves one of the two matrices of an adapter, which starts at zero
        model(pixel_values_videos=inputs, labels=torch.tensor([1, 3])).loss.backward()
        for name, parameter in model.named_parameters():
            assert (parameter.grad is not None) == trained(name), name
        optimizer.step()
        optimizer.zero_grad()
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) != trained(name), name
    adapters = {name.split(".lora_")[0] for name, _ in model.named_parameters() if "lora_" in name}
    assert len(adapters) == 2 * (3 + 1)  # queries and values of three layers and of the layer over time


def test_recipe_on_adapters():
    for name in ("xvit-k400", "small"):
        groups = parameter_groups(adapted(), get_recipe(name))
        sizes = {group["name"]: len(group["params"]) for group in groups}
        assert sizes == {"all, decayed": 2 * 2 * 4 + 1, "all, not decayed": 1}  # the classifier's bias
    build_optimizer(adapted(), get_recipe("small"), 0.01).step()


def test_save_and_load(tmp_path):
    tiny().save_pretrained(tmp_path / "base")
    base = XViTForVideoClassification.from_pretrained(tmp_path / "base")
    inputs = clips(base.config)
    untrained = base(pixel_values_videos=inputs).logits
    model = adapted(base).eval()
    torch.testing.assert_close(model(pixel_values_videos=inputs).logits, untrained)  # starts as nothing
    for name, parameter in model.named_parameters():
        if trained(name):
            torch.nn.init.normal_(parameter, std=0.3)
    expected = model(pixel_values_videos=inputs).logits
    assert not torch.allclose(expected, untrained, atol=0.1)

    model.save_pretrained(tmp_path / "adapter")
    base = XViTForVideoClassification.from_pretrained(tmp_path / "base")
    loaded = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    torch.testing.assert_close(loaded(pixel_values_videos=inputs).logits, expected, atol=0, rtol=0)

    merged = loaded.merge_and_unload()
    assert isinstance(merged, XViTForVideoClassification)
    merged.save_pretrained(tmp_path / "merged")
    alone = XViTForVideoClassification.from_pretrained(tmp_path / "merged")
    # adding the low-rank product into the weight rounds it once more
    torch.testing.assert_close(alone(pixel_values_videos=inputs).logits, expected, atol=1e-4, rtol=1e-4)


def test_trainer(tmp_path):
    model = adapted()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    rows = [
        {"pixel_values_videos": clip, "labels": torch.tensor(index % 5)}
        for index, clip in enumerate(clips(model.config, batch=4))
    ]
    arguments = TrainingArguments(
        output_dir=tmp_path, max_steps=3, per_device_train_batch_size=2, learning_rate=0.01, report_to="none",
        save_strategy="steps", save_steps=3, use_cpu=True, disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=rows)
    trainer.train()
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) != trained(name), name
    checkpoint = tmp_path / "checkpoint-3"
    assert (checkpoint / "adapter_model.safetensors").is_file() and not (checkpoint / "model.safetensors").is_file()
    assert trainer.evaluate(rows)["eval_loss"] > 0
