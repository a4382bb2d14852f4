"""Finding complete checkpoints in a folder, and what is missing from others.

A killed process leaves files cut short or missing. `VideoTrainer` names a checkpoint only when it is complete; those
of plain Trainer, and old ones that were being deleted, may lack files.
"""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from textwrap import shorten
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers import PreTrainedConfig, TrainingArguments
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME
from transformers.utils import CONFIG_NAME, SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME, logging

from holovid.modeling.weight_files import shard_names

logger = logging.get_logger(__name__)

# One of each row must exist: of a plain run, of FSDP, of DeepSpeed.
KINDS = {
    "weights": (SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME, "adapter_model.safetensors", "pytorch_model_fsdp*"),
    "optimizer": (OPTIMIZER_NAME, "optimizer.bin", "optimizer_*", "global_step*"),
}


def resume_point(args: TrainingArguments, files: Iterable[str] = ()) -> Path | None:
    """The checkpoint for `args.resume_from_checkpoint`; "true" is the newest complete one in `args.output_dir`.

    If there is none, training starts anew, with a warning, so a job that may be killed can always use the same
    command. Raises `ValueError` for an incomplete checkpoint, and if a run without this option would write into
    another run's checkpoints.
    """
    wanted = str(args.resume_from_checkpoint or "false")
    if wanted.lower() == "false":
        if all_checkpoints(args.output_dir):
            raise ValueError(
                f"{args.output_dir} holds checkpoints of an earlier run: continue it with --resume_from_checkpoint "
                "true, or name another --output"
            )
        return None
    if wanted.lower() == "true":
        checkpoint = newest_checkpoint(args.output_dir, args.world_size, files)
        if checkpoint is not None:
            tell_of_processes(checkpoint, args.world_size)
        else:
            logger.warning(f"there is no complete checkpoint in {args.output_dir}: training starts from the beginning")
        return checkpoint
    if not Path(wanted).is_dir():
        raise ValueError(f"--resume_from_checkpoint must be true, false or the folder of a checkpoint, got {wanted}")
    if faults := checkpoint_faults(wanted, args.world_size, files):
        raise ValueError(f"{wanted} cannot be resumed: {'; '.join(faults)}")
    tell_of_processes(Path(wanted), args.world_size)
    return Path(wanted)


def tell_of_processes(checkpoint: Path, processes: int) -> None:
    if (wrote := processes_of(checkpoint)) not in (0, processes):
        logger.warning(
            f"{checkpoint} is of a run of {wrote} processes, and this one has {processes}: clips come in the same "
            "order, but dropout draws other numbers"
        )


def newest_checkpoint(folder: str | Path, processes: int = 1, files: Iterable[str] = ()) -> Path | None:
    """The complete checkpoint of most steps in `folder`; faults of newer ones are logged as warnings.

    Args:
        folder: where a Trainer wrote folders `checkpoint-<step>`. It need not exist.
        processes: how many processes resume; each stores its own random state. A checkpoint of another number of
            processes is complete, too.
        files: names of further files that a checkpoint must have.

    Returns `None` when there is none.
    """
    for checkpoint in reversed(all_checkpoints(folder)):
        faults = checkpoint_faults(checkpoint, processes, files)
        if not faults:
            return checkpoint
        logger.warning(f"{checkpoint} is incomplete and skipped: {'; '.join(faults)}")
    return None


def all_checkpoints(folder: str | Path) -> list[Path]:
    found = [path for path in Path(folder).glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("checkpoint-")))


def checkpoint_faults(checkpoint: str | Path, processes: int = 1, files: Iterable[str] = ()) -> list[str]:
    """Why a checkpoint cannot be resumed; empty if it can. Arguments as above."""
    checkpoint = Path(checkpoint)
    wrote = processes_of(checkpoint) or processes
    faults = [
        f"it has no {name}"
        for name in (TRAINER_STATE_NAME, SCHEDULER_NAME, *random_states(wrote), *files)
        if not (checkpoint / name).is_file()
    ]
    for kind, patterns in KINDS.items():
        if not any(found for pattern in patterns for found in checkpoint.glob(pattern)):
            faults.append(f"it has no {kind}")
    index = checkpoint / SAFE_WEIGHTS_INDEX_NAME
    if index.is_file() and is_readable(index):
        try:
            faults += [f"it has no {name}" for name in shard_names(index) if not (checkpoint / name).is_file()]
        except ValueError as error:
            faults.append(str(error))
    cut = [path.name for path in sorted(checkpoint.iterdir()) if path.is_file() and not is_readable(path)]
    return faults + [f"{name} is cut short" for name in cut]


def random_states(processes: int) -> list[str]:
    """The files of the random states of so many processes."""
    return ["rng_state.pth"] if processes == 1 else [f"rng_state_{rank}.pth" for rank in range(processes)]


def processes_of(checkpoint: Path) -> int:
    """How many processes wrote a checkpoint, by its random states; 0 if it has none."""
    if (checkpoint / "rng_state.pth").is_file():
        return 1
    ranks = [path.stem.removeprefix("rng_state_") for path in checkpoint.glob("rng_state_*.pth")]
    return max((int(rank) + 1 for rank in ranks if rank.isdigit()), default=0)


def check_same_steps(checkpoint: str | Path, steps: int) -> None:
    """Raise `ValueError` if an epoch had another number of steps in the checkpoint's run than `steps`.

    Trainer counts epochs by steps: with fewer in an epoch it would leave out epochs at the end, with more repeat some.
    """
    state = json.loads(Path(checkpoint, TRAINER_STATE_NAME).read_text(encoding="utf-8"))
    epoch, taken = state.get("epoch"), state.get("global_step")
    if epoch and taken and abs(epoch * steps - taken) >= 1:
        raise ValueError(
            f"{checkpoint} is of a run with {taken / epoch:.3g} steps an epoch, and now there are {steps}: resume "
            "with the same clips, and as many of them a step (batch x accumulated x processes). To start from its "
            "weights instead, pass it as --model, with another --output"
        )


def check_same_model(checkpoint: str | Path, config: PreTrainedConfig) -> None:
    """Raise `ValueError` if a checkpoint is of a model of another kind, with other sizes or other classes.

    Weights of equal shapes would load without a word, and the run would end with the names of other classes.
    """
    file = Path(checkpoint) / CONFIG_NAME
    if not file.is_file():  # adapters alone have none
        return
    kind = json.loads(file.read_text(encoding="utf-8")).get("model_type")
    if kind != config.model_type:
        faults = [f"its model_type is {kind}, and that of this run is {config.model_type}"]
    else:
        # as JSON, in which lists and tuples are alike
        before, now = (
            json.loads(each.to_json_string(use_diff=False))
            for each in (type(config).from_pretrained(checkpoint), config)
        )
        faults = [
            f"{name} was {in_short(before.get(name))}, and is {in_short(value)} now"
            for name, value in now.items()
            if decides_shape(name, value) and before.get(name) != value
        ]
    if faults:
        raise ValueError(
            f"{checkpoint} is of another model: {'; '.join(faults)}. Resume with the arguments of that run, or name "
            "another --output"
        )


def decides_shape(name: str, value: Any) -> bool:
    """Whether a field of a configuration gives sizes, parts or classes."""
    items = value if isinstance(value, list) else [value]
    whole = bool(items) and all(isinstance(item, int | str) and not isinstance(item, bool) for item in items)
    return name.startswith("id2") or (whole and not isinstance(value, str))


def in_short(value: Any) -> str:
    names = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return shorten(", ".join(map(str, names)), width=80, placeholder=" ...")


def is_readable(path: Path) -> bool:
    """Whether a file has its full length, by its header or its end; `True` for unknown formats."""
    try:
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix in (".pt", ".pth", ".bin"):  # torch.save writes the directory at the end
            zipfile.ZipFile(path).close()
        elif path.suffix == ".safetensors":
            with safe_open(path, "pt"):
                pass
    except (ValueError, zipfile.BadZipFile, SafetensorError):
        return False
    return True
