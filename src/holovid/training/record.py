"""training.json: how a model was trained, for its card. Facts only, no local paths."""

import os
import platform
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from holovid.cheap_checks import is_hub_id
from holovid.families.family import variants
from holovid.records import public_command
from holovid.training.arguments import RunArguments
from holovid.training.preparation import Preparation


def training_record(
    run: RunArguments,
    parts: Preparation,
    *,
    epochs: float,
    steps: int,
    seed: int,
    total_batch_size: int,
    learning_rate: float,
    precision: str,
    processes: int,
    seconds: float,
    command: list[str],
) -> dict[str, Any]:
    """The content of training.json. `precision` is that of matrix products; `seconds` are those of this run."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} CPU"
    trained = [parameter.requires_grad for parameter in parts.model.parameters()]
    start = None if run.model is None or run.model in variants() else run.model
    return {
        "starting_point": start if start is None or is_hub_id(start) else Path(start).name,
        "recipe": parts.recipe.name,
        "epochs": epochs,
        "steps": steps,
        "seed": seed,
        "total_batch_size": total_batch_size,
        "learning_rate": learning_rate,
        "precision": precision,
        "tuned": "all" if all(trained) else "what joins the experts",
        "data": {
            "name": Path(run.data).name,
            "source": run.data if is_hub_id(run.data) and not os.path.exists(run.data) else None,
            "split": "train",
            "clips": len(parts.train),
            "licence": run.data_licence,
        },
        "hardware": f"{processes} x {device}",
        "hours": round(seconds / 3600, 2),
        "command": public_command(command),
    }


def record_of_trainer(run: RunArguments, parts: Preparation, args: TrainingArguments, result: Any, command: list[str]):
    return training_record(
        run,
        parts,
        epochs=round(result.metrics["epoch"], 2),  # fewer than planned, if the run stopped early
        steps=result.global_step,
        seed=args.seed,
        total_batch_size=args.train_batch_size * args.gradient_accumulation_steps * args.world_size,
        learning_rate=args.learning_rate,
        precision="bf16" if args.bf16 else "fp16" if args.fp16 else "fp32",
        processes=args.world_size,
        seconds=result.metrics["train_runtime"],
        command=command,
    )
