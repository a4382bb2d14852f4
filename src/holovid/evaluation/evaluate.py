"""Evaluation by the papers' protocols: several views and crops of each clip, in batches, over processes, resumable.

    model, processor = load_classifier("xvit-k600")
    clips = load_set(model, "kinetics/val.csv", root="kinetics/videos")
    results = evaluate_clips(model, processor, clips.rows, protocol=Protocol(views=2, crops=3), output="k600/results")

A model is evaluated on its tasks: "label", or "verb" and "noun". B clips, V views and crops, K classes.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

from holovid.data.dataset import BrokenClip, BrokenClipError, ClipDataset, describe
from holovid.evaluation.answers import ANSWERS, check_one_class
from holovid.evaluation.answers import ensemble_views as ensemble_views
from holovid.evaluation.fingerprints import fingerprints_of
from holovid.evaluation.interventions import apply_interventions, check_interventions, intervened
from holovid.evaluation.metric_names import is_share
from holovid.evaluation.prediction_log import Line, PredictionLog
from holovid.evaluation.protocol import Protocol, check_one_of
from holovid.evaluation.report import write_report
from holovid.evaluation.tasks import LabelledSet, Question, list_clips, match_tasks
from holovid.extras import needed
from holovid.inference.pipeline import check_finite, join_batch
from holovid.metrics.harmonic_mean import harmonic_mean
from holovid.processing.clip_features import ClipFeatures
from holovid.records import EVALUATION, read_json, write_means

with needed("accelerate", "evaluation"):
    from accelerate import PartialState

ONE_VIEW = Protocol()
ON_BROKEN = ("skip", "raise")
PATIENCE = timedelta(days=7)  # processes may finish hours apart
Predict = Callable[[list[tuple[int, dict[str, Tensor]]]], list[Line]]


def evaluate_clips(
    model: PreTrainedModel,
    processor: Any,
    rows: Dataset,
    *,
    protocol: Protocol = ONE_VIEW,
    target: str | Sequence[str] | None = None,
    batch_size: int = 8,
    num_workers: int = 0,
    output: str | os.PathLike | None = None,
    on_broken: str = "skip",
    csv: bool = False,
    scores: bool = False,
    about: Mapping[str, str] | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Measure a model's predictions on labelled clips.

    Under `torchrun` each process evaluates its share of the clips, and all return the same results. If the output
    folder holds a part of the same evaluation, that part is not repeated.

    Args:
        model: with `tasks`, or a video classifier of transformers. It is moved to Accelerate's device.
        processor: a `HolovidProcessor` or `HolovidVideoProcessor`.
        rows: of `load_clips`. Classes are matched with the model's by name; if the model's have no names, by number.
        protocol: views, crops, and how they are averaged.
        target: the column of labels; for a model of verbs and nouns both columns. Default "label", or "verb" and
            "noun".
        batch_size: views in one forward pass; those of one clip may be split over batches.
        num_workers: processes that decode, for each process that evaluates.
        output: folder for predictions and results: predictions.*.jsonl (during the run, and for resuming),
            results.json, predictions.parquet, and confusion.png (or confusion_verb.png and confusion_noun.png); for
            numbers scores.png. Several processes need one that all of them can access.
        on_broken: for a clip that cannot be read. "skip": leave it out, count it and list it with the reason.
            "raise": `BrokenClipError`.
        csv: also write predictions.csv.
        scores: also keep the scores of all classes, for [`holovid.evaluation.fusion.fuse`]: a column `scores` of
            predictions.parquet (for verbs `verb_scores`), log probabilities in the order of the classes.
        about: names of `model`, `dataset`, `split` and `command` in the results.
        progress: show a bar.

    Returns the content of results.json:

        `metrics`: `top1`, `top5`, `mean_class_accuracy`; for verbs and nouns `verb_top1`, `noun_top1`, `action_top1`
        and so on, where an action is right if both are. All in 0..1. Top-5 is left out for five classes or fewer. For
        clips with several classes `mean_average_precision`, and top-k counts clips with one of their classes among
        the best k. For numbers `mean_absolute_error` and `root_mean_squared_error` in their unit, `pearson`,
        `spearman`, `kendall` and `pearson_fitted`, `None` if all are equal, see `score_errors`.
        `per_class`, `most_confused`: for each task, or empty. `counts`: `clips`, `evaluated`, `broken`.
        `broken`: which, and why. `protocol`, `model`, `dataset`, `versions`, `date`; `seconds` over all processes and
        runs, and `clips_per_second` of one process.

    Raises `ValueError` when classes of the data are not the model's, a clip occurs twice, the folder holds another
    evaluation, there are more processes than clips, no clip could be read, or options do not fit together.
    """
    video_processor = getattr(processor, "video_processor", processor)
    protocol = protocol.for_model(model.config)
    check_one_of("on_broken", on_broken, ON_BROKEN)
    protocol.check_processor(video_processor)
    check_interventions(protocol.interventions, model)
    if batch_size < 1:
        raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
    tasks, clips = match_tasks(model, rows, target), list_clips(rows)
    if scores:
        check_one_class(tasks)
    dataset = ClipDataset(rows, processor, target=[task.column for task in tasks], **protocol.call_options())
    dataset.blank_row()  # errors that concern every clip come at once
    state = PartialState(cpu=not torch.accelerator.is_available(), timeout=PATIENCE)
    check_processes(state.num_processes, len(clips), output)
    header = {
        "protocol": protocol.describe(video_processor),
        "fingerprints": fingerprints_of(model, video_processor, protocol, clips, tasks),
    } | ({"scores": True} if scores else {})

    with ExitStack() as stack:
        folder = Path(output or stack.enter_context(tempfile.TemporaryDirectory(prefix="holovid_evaluation_")))
        log = stack.enter_context(shared_log(folder, header, state))
        done = {number for number, line in log.read().items() if "broken" not in line}
        state.wait_for_everyone()  # no process may append while others read

        left = [number for number in range(len(clips)) if number not in done]
        share = left[state.process_index :: state.num_processes]
        at_once = max(1, batch_size // protocol.passes)
        numbered = NumberedClips(dataset, share)
        loader = DataLoader(numbered, batch_size=at_once, num_workers=num_workers, collate_fn=list)
        predict = stack.enter_context(predictor(model, state.device, tasks, protocol, batch_size, scores))
        advance = stack.enter_context(progress_bar(len(share), progress and state.is_local_main_process))
        for lines in predicted(loader, predict, on_broken):
            log.add(lines)
            advance(len(lines))

        state.wait_for_everyone()
        if state.is_main_process:
            write_report(folder, clips, tasks, log.read(), name_things(model, rows, about or {}) | header, csv)
        state.wait_for_everyone()
        return read_json(folder / EVALUATION.file)


def evaluate_sets(
    model: PreTrainedModel,
    processor: Any,
    sets: Sequence[LabelledSet],
    *,
    target: str | Sequence[str] | None = None,
    output: str | os.PathLike | None = None,
    about: Mapping[str, str] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Evaluate a model on several sets of clips, and overall.

    Args:
        model, processor, target, about, options: as in [`evaluate_clips`].
        sets: of `load_set`, with different names.
        output: folder for results.json and a folder for each set.

    Returns the content of that file: `sets`, the results of each by its name; `harmonic_mean` over sets of each metric
    that is a share. Raises what `evaluate_clips` raises; if possible, before the first clip.
    """
    if len({each.name for each in sets}) < len(sets):
        raise ValueError(f"sets of clips need different names, got {', '.join(each.name for each in sets)}")
    for each in sets:
        match_tasks(model, each.rows, target)
        list_clips(each.rows)
    results = {}
    for each in sets:
        folder = None if output is None else Path(output, each.name.replace("/", "__"))
        named = {**(about or {}), "dataset": each.name, "split": each.split}
        results[each.name] = evaluate_clips(
            model, processor, each.rows, target=target, output=folder, about=named, **options
        )
    metrics = [each["metrics"] for each in results.values()]
    shared = [
        name for name in metrics[0] if is_share(name) and all(others.get(name) is not None for others in metrics)
    ]
    means = {name: harmonic_mean([others[name] for others in metrics]) for name in shared}
    if output is not None and PartialState().is_main_process:
        write_means(output, results, means)
    return {"sets": results, "harmonic_mean": means}


class NumberedClips(torch.utils.data.Dataset):
    """Pairs of a clip's number and its model inputs, or the reason why it cannot be read."""

    def __init__(self, dataset: ClipDataset, numbers: Sequence[int]):
        self.dataset = dataset
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: int) -> tuple[int, dict[str, Tensor] | str]:
        number = self.numbers[place]
        try:
            row = self.dataset.read(number, epoch=0)
        except BrokenClipError as error:
            return number, error.reason or str(error)
        return number, {name: value for name, value in row.items() if name not in self.dataset.label_keys}


def check_processes(processes: int, clips: int, output: str | os.PathLike | None) -> None:
    if processes > 1 and output is None:
        raise ValueError("several processes need a common folder: pass output")
    if processes > clips:
        raise ValueError(f"{processes} processes are too many for {clips} clips")


@contextmanager
def shared_log(folder: Path, header: Mapping[str, Any], state: PartialState) -> Iterator[PredictionLog]:
    log = PredictionLog(folder, state.process_index)
    if state.is_main_process:
        log.claim(header)
    try:
        state.wait_for_everyone()
        yield log
    finally:
        if state.is_main_process:
            log.release()


def predicted(loader: DataLoader, predict: Predict, on_broken: str) -> Iterator[list[Line]]:
    """Log entries, a batch of clips at a time; a clip's `seconds` include reading it."""
    dataset: Any = loader.dataset
    start = time.perf_counter()
    for batch in loader:
        broken: list[Line] = [{"clip": number, "broken": why} for number, why in batch if isinstance(why, str)]
        if broken and on_broken == "raise":
            clip = BrokenClip(dataset.dataset.path(broken[0]["clip"]), broken[0]["broken"])
            raise BrokenClipError(describe(clip), *clip)
        read = [(number, inputs) for number, inputs in batch if not isinstance(inputs, str)]
        lines = predict(read) if read else []
        now = time.perf_counter()
        yield broken + [line | {"seconds": (now - start) / len(lines)} for line in lines]
        start = now


@contextmanager
def predictor(
    model: PreTrainedModel,
    device: torch.device,
    tasks: list[Question],
    protocol: Protocol,
    batch_size: int,
    scores: bool = False,
) -> Iterator[Predict]:
    """A function from numbered inputs to predictions; inside the block the model is in eval mode on `device`."""
    names = [question.task.scores for question in tasks]
    dtype = None if protocol.autocast is None else getattr(torch, protocol.autocast)
    precision = nullcontext() if dtype is None else torch.autocast(device.type, dtype)
    ensemble = str(protocol.ensemble)

    def predict(clips: list[tuple[int, dict[str, Tensor]]]) -> list[Line]:
        numbers = [number for number, _ in clips]
        inputs = join_batch([{name: value[None] for name, value in inputs.items()} for _, inputs in clips])
        inputs = apply_interventions(protocol.interventions, inputs, numbers)
        inputs = with_mirror_images(inputs) if protocol.flips else inputs
        with torch.inference_mode(), precision:
            logits = view_logits(model, inputs, names, batch_size)
        lines: list[Line] = [{"clip": number} for number in numbers]
        for task, name in zip(tasks, names, strict=True):
            check_finite(logits[name])
            rights = [task.labels[number] for number in numbers]
            kind = ANSWERS[task.task.kind]
            answers = kind.lines(logits[name], rights, ensemble)
            answers = kind.with_all_scores(answers, logits[name], ensemble) if scores else answers
            for line, answer in zip(lines, answers, strict=True):
                line[task.name] = answer
        return lines

    training = model.training
    model.eval().to(device)
    try:
        with intervened(model, protocol.interventions):
            yield predict
    finally:
        model.train(training)


def with_mirror_images(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Inputs (B, ...) or (B, V, ...) -> (B, 2 V, ...): a clip's views, then their mirror images."""
    one_view = inputs["pixel_values_videos"].ndim == 5
    viewed = {name: value[:, None] if one_view else value for name, value in inputs.items()}
    mirrored = viewed | {"pixel_values_videos": viewed["pixel_values_videos"].flip(-1)}
    return {name: torch.cat((value, mirrored[name]), dim=1) for name, value in viewed.items()}


def view_logits(
    model: PreTrainedModel, inputs: Mapping[str, Tensor], names: Sequence[str], batch_size: int
) -> dict[str, Tensor]:
    """Logits (B, V, K) for each of `names`; inputs (B, ...) or (B, V, ...) go in `batch_size` views at a time."""
    videos = inputs["pixel_values_videos"]
    views = videos.shape[:2] if videos.ndim == 6 else (len(videos), 1)
    flat = {name: value.flatten(0, 1) if videos.ndim == 6 else value for name, value in inputs.items()}
    pieces = []
    for start in range(0, views[0] * views[1], batch_size):
        piece = ClipFeatures({name: value[start : start + batch_size] for name, value in flat.items()})
        piece.to(model.device, model.dtype)
        outputs = model(**piece)
        pieces.append({name: outputs[name].float() for name in names})
    return {name: torch.cat([piece[name] for piece in pieces]).unflatten(0, views) for name in names}


def name_things(model: PreTrainedModel, rows: Dataset, about: Mapping[str, str]) -> dict[str, Any]:
    """`model`, `dataset` and `command`, by names without local paths."""
    if unknown := sorted(set(about) - {"model", "dataset", "split", "command"}):
        raise ValueError(f"about takes model, dataset, split and command, got {', '.join(unknown)}")
    origin = str(about.get("model") or model.config._name_or_path or type(model).__name__)
    return {
        "model": {
            "name": Path(origin).name if Path(origin).is_dir() or os.path.isabs(origin) else origin,
            "class": type(model).__name__,
            "model_type": model.config.model_type,
            "revision": getattr(model.config, "_commit_hash", None),
            "parameters": model.num_parameters(),
            "dtype": str(model.dtype).removeprefix("torch."),
            "device": torch.cuda.get_device_name() if model.device.type == "cuda" else model.device.type,
        },
        "dataset": {
            "name": about.get("dataset") or rows.info.dataset_name or "clips",
            "split": about.get("split") or (str(rows.split) if rows.split is not None else None),
        },
        "command": about.get("command"),
    }


@contextmanager
def progress_bar(total: int, show: bool) -> Iterator[Callable[[int], None]]:
    """Yields a function that takes the number of finished clips; on stderr, so that results can be piped."""
    bar = Progress(
        TextColumn("Evaluating"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), disable=not show,
    )  # fmt: skip
    with bar:
        task = bar.add_task("clips", total=total)
        yield lambda count: bar.advance(task, count)
