"""What `holovid train` does, as a loop to copy and change: models, clips and recipes of holovid, and plain Accelerate.

    holovid data synth clips --train 64 --val 16 --size 64 --frame-rate 8 --seconds 1
    python examples/train_accelerate.py --model xvit --recipe small --data clips --target motion --output_dir run
    accelerate launch --config_file examples/accelerate/ddp.yaml examples/train_accelerate.py ...    # copies
    accelerate launch --config_file examples/accelerate/fsdp2.yaml examples/train_accelerate.py ...  # sharded

With the same arguments it takes the same steps, number for number: tests/training/test_train_scripts.py.
It saves its state after each epoch; --resume continues from there. The output folder then has what `holovid train`
leaves (the model and its processor, training.png, all_results.json, and training.json for the model's card), and
log.json.
"""

import json
import math
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from holovid.commands.command_line import run_script
from holovid.records import TRAINING, write_record
from holovid.training.run_options import RunArguments, check_run

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch.nn import Module
    from torch.utils.data import DataLoader

    from holovid.modeling.tasks import Task


@dataclass
class LoopArguments:
    """
    Args:
        batch_size: clips on one device at once.
        accumulate: batches a step.
        epochs, learning_rate: by default the recipe's, the rate in proportion to the clips of a step.
        resume: go on from the last epoch that was finished in the output folder.
    """

    output_dir: str = "run"
    batch_size: int = 8
    accumulate: int = 1
    epochs: int | None = None
    learning_rate: float | None = None
    mixed_precision: str = "no"
    activation_checkpointing: bool = False
    workers: int = 2
    seed: int = 42
    resume: bool = False
    report_to: str | None = None


def main(arguments: list[str]) -> None:
    check_run(arguments, [each.name for each in fields(LoopArguments)])  # before torch is imported

    import numpy as np
    import torch
    from accelerate import Accelerator
    from accelerate.utils import set_seed
    from torch.utils.data import DataLoader, default_collate
    from tqdm.auto import tqdm

    from holovid.data import ContinuousDataLoader, EpochSampler
    from holovid.modeling.tasks import tasks_of
    from holovid.optimization import build_optimizer, build_schedule
    from holovid.preparation import prepare
    from holovid.training import check_batch
    from holovid.training.arguments import Parser
    from holovid.training.class_weights import weighted_loss
    from holovid.training.picture import save_training_picture
    from holovid.training.record import training_record
    from holovid.training.running import count_broken

    began = time.perf_counter()
    parser = Parser((RunArguments, LoopArguments))
    run, loop = parser.parse_dict(parser.given(arguments))
    if run.ema_decay is not None:
        raise ValueError("--ema_decay: this loop does not average weights; holovid train does")
    accelerator = Accelerator(
        cpu=not torch.accelerator.is_available(),
        gradient_accumulation_steps=loop.accumulate,
        mixed_precision=loop.mixed_precision,
        log_with=loop.report_to,
        project_dir=loop.output_dir,
    )
    parts = prepare(run, loop.seed)
    tasks = tasks_of(parts.model, parts.model.config)
    output, recipe = Path(loop.output_dir), parts.recipe
    saved = last_state(output)
    if saved is not None and not loop.resume:
        raise ValueError(f"{output} holds an earlier run: go on with it by --resume, or name another --output_dir")
    check_batch(len(parts.train), accelerator.num_processes, loop.batch_size, loop.accumulate)
    accelerator.init_trackers("training")
    if loop.activation_checkpointing:
        parts.model.activation_checkpointing_enable()

    # The order of clips, and all chance in them, depends on the seed and the epoch alone.
    sampler = EpochSampler(len(parts.train), seed=loop.seed)
    options = {"batch_size": loop.batch_size, "num_workers": loop.workers, "collate_fn": default_collate}
    train_loader = accelerator.prepare(DataLoader(parts.train, sampler=sampler, **options))
    validation_loader = accelerator.prepare(DataLoader(parts.validation, **options))

    epochs = loop.epochs or math.ceil(recipe.epochs)
    if loop.workers:  # they go on reading between epochs
        train_loader.base_dataloader = ContinuousDataLoader.of(train_loader.base_dataloader, epochs)
    steps = epochs * math.ceil(len(train_loader) / loop.accumulate)
    batch = loop.batch_size * loop.accumulate * accelerator.num_processes
    rate = loop.learning_rate or recipe.scaled_learning_rate(batch)
    model, optimizer = accelerator.prepare(parts.model, build_optimizer(parts.model, recipe, rate))
    schedule = build_schedule(optimizer, recipe, steps, rate)  # not prepared: one step for all processes together
    accelerator.register_for_checkpointing(schedule)

    set_seed(loop.seed)
    log: list[dict] = []
    first = 0
    if loop.resume and saved is not None:
        accelerator.load_state(str(saved))
        log = json.loads((saved / "log.json").read_text(encoding="utf-8"))
        first = log[-1]["epoch"]
    progress = tqdm(total=steps, initial=first * steps // epochs, disable=not accelerator.is_local_main_process)
    for epoch in range(first, epochs):
        model.train()
        train_loader.set_epoch(epoch)  # which tells the sampler; the loader's own count starts anew in a resumed run
        losses, start = [], time.perf_counter()
        for place, inputs in enumerate(train_loader):
            batches = min(loop.accumulate, len(train_loader) - place // loop.accumulate * loop.accumulate)  # of a step
            with accelerator.accumulate(model):
                if parts.class_weights is None:
                    loss = model(**inputs).loss
                else:
                    loss, _ = weighted_loss(model, inputs, tasks, parts.class_weights)
                accelerator.backward(loss * loop.accumulate / batches)  # accelerate divides by `accumulate`
                if accelerator.sync_gradients and recipe.max_grad_norm:
                    accelerator.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
                optimizer.step()
                if accelerator.sync_gradients:
                    schedule.step()
                    progress.update()
                optimizer.zero_grad()
            losses.append(accelerator.reduce(loss.detach(), "mean").item())
            if not math.isfinite(losses[-1]):
                raise ValueError(f"the loss became {losses[-1]} in epoch {epoch + 1}, batch {len(losses)}")
        speed = len(losses) * loop.batch_size * accelerator.num_processes / (time.perf_counter() - start)
        log.append({"epoch": epoch + 1, "step": progress.n, "loss": float(np.mean(losses)), "losses": losses})
        log[-1] |= {"learning_rate": max(schedule.get_last_lr()), "clips_per_second": speed}
        log[-1] |= {
            f"eval_{name}": value for name, value in evaluate(accelerator, model, validation_loader, tasks).items()
        }
        shown = {name: value for name, value in log[-1].items() if name != "losses"}
        accelerator.log(shown, step=progress.n)
        save_state(accelerator, output / f"state-{epoch + 1}", log)
        if accelerator.is_main_process:
            save_training_picture(log, output / "training.png")
            progress.write("  ".join(f"{name} {value:.4g}" for name, value in shown.items()))
    progress.close()

    weights, broken = accelerator.get_state_dict(model), count_broken(parts.train)
    if accelerator.is_main_process:
        accelerator.unwrap_model(model).save_pretrained(output, state_dict=weights)
        parts.processor.save_pretrained(output)
        (output / "log.json").write_text(json.dumps(log, indent=2), encoding="utf-8")
        last = {name: value for name, value in log[-1].items() if name.startswith("eval_")}
        results = {"epoch": float(epochs), "train_loss": log[-1]["loss"], **last}
        results |= {"train_broken_clips": broken}
        (output / "all_results.json").write_text(json.dumps(results, indent=4, sort_keys=True), encoding="utf-8")
        record = training_record(
            run, parts, epochs=epochs, steps=steps, seed=loop.seed, total_batch_size=batch, learning_rate=rate,
            precision="fp32" if loop.mixed_precision == "no" else loop.mixed_precision,
            processes=accelerator.num_processes, seconds=time.perf_counter() - began, command=["python", *sys.argv],
        )  # fmt: skip
        write_record(TRAINING, output, record)
    accelerator.end_training()


def evaluate(
    accelerator: "Accelerator", model: "Module", loader: "DataLoader", tasks: "Sequence[Task]"
) -> dict[str, float]:
    """Loss and accuracies of all clips, each counted once on however many processes."""
    import torch
    from transformers import EvalPrediction

    from holovid.training import compute_metrics

    model.eval()
    found = []
    # a loader draws from torch's generator, and dropout is not to notice
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for inputs in loader:
            outputs = model(**inputs)
            answers = {task.name: (outputs[task.scores], inputs[task.labels]) for task in tasks}
            found.append(accelerator.gather_for_metrics(answers))
    logits = tuple(torch.cat([batch[name][0] for batch in found]).float().cpu().numpy() for name in found[0])
    labels = tuple(torch.cat([batch[name][1] for batch in found]).cpu().numpy() for name in found[0])
    return compute_metrics(EvalPrediction(predictions=logits, label_ids=labels), tasks)


def save_state(accelerator: "Accelerator", folder: Path, log: list[dict]) -> None:
    """Everything that training goes on from, under its name when it is whole; the one before goes."""
    unfinished, before = folder.with_name("_unfinished"), last_state(folder.parent)
    if accelerator.is_main_process:
        shutil.rmtree(unfinished, ignore_errors=True)  # left by a process that was killed
    accelerator.wait_for_everyone()
    accelerator.save_state(str(unfinished))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (unfinished / "log.json").write_text(json.dumps(log), encoding="utf-8")
        unfinished.rename(folder)
        if before is not None:
            shutil.rmtree(before)
    accelerator.wait_for_everyone()


def last_state(folder: Path) -> Path | None:
    return max(folder.glob("state-*"), key=lambda path: int(path.name.removeprefix("state-")), default=None)


if __name__ == "__main__":
    sys.exit(
        run_script("train_accelerate.py", lambda: main(sys.argv[1:]), "--resume goes on from the last whole epoch")
    )
