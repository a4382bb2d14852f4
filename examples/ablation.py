"""What each mechanism is for: tiny models with it and without it, on clips whose answers are known.   make ablation

A clip shows a shape that moves right or left, with a tone that rises or falls; all three are drawn independently.
"left" is "right" played backwards, frame for frame, and "fall" is "rise" played backwards, so only order in time tells
them apart. `match` tells whether motion and sound have the same parity in their lists; a model needs both video and
audio to predict it. A model without what it needs is at chance level, 0.5.

XViT, TimeSformer and Video Swin learn the motion, with and without the part that tells them about order. CA²ST learns
the label, which names all three factors, and then `match`. So do CAST and CAVA, which are CA²ST without audio and
without time. All models are measured on clips as they are, with frames shuffled, with frames held still, and muted.

Results of finished models are kept in the output folder; the same command goes on from there.
"""

import argparse
import dataclasses
import json
import multiprocessing
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here needs the network; this makes sure

import torch
import transformers
from playground import (
    CLIP,
    NUM_FRAMES,
    DecodedClips,
    Results,
    console,
    decode,
    fine_tune,
    measure,
    reached,
    shuffling,
    tiny,
    tiny_ca2st,
)
from rich.markdown import Markdown
from rich.progress import Progress
from transformers import AutoModelForVideoClassification, set_seed

from holovid import CA2STForVideoClassification, HolovidProcessor
from holovid.data import load_clips
from holovid.files import new_file, write_whole
from holovid.interventions import hold_still, mute, without_expert
from holovid.synthetic import ClipSet, render_clips

FACTORS = ["shape", "motion", "sound"]  # which a label names in this order
NOT_TOLD_WHEN = "CAVA, not told when"
CA2ST: dict[str, dict[str, Any]] = {
    "CA²ST": {"experts": ["space", "time", "audio"]},
    "CAST (no audio)": {"experts": ["space", "time"]},
    "CAVA (no time)": {"experts": ["space", "audio"]},
    # sees all frames, not every other one, which are not those that it sees of the reversal
    NOT_TOLD_WHEN: {"experts": ["space", "audio"], "tubelet_size": 1},
}
TARGETS = ["label", *FACTORS, "match"]
MATCH_FROM = "match, from "
SEEN = ["as it is", "frames shuffled", "held still"]
HEARD = [*SEEN, "muted"]
Goals = dict[tuple[str, str, str], str]  # (model, measured how, accuracy of what) -> what it has to be, for every seed


@dataclasses.dataclass(frozen=True)
class Settings:
    train: int = 3200
    val: int = 800
    motion_epochs: float = 10
    motion_clips: int = 1600  # of those to train on; CA²ST takes all
    ca2st_epochs: float = 7
    match_epochs: float = 3
    motion_learning_rate: float = 1e-3  # at twice that, attention pooling may see no difference for many epochs
    ca2st_learning_rate: float = 2e-3
    match_learning_rate: float = 1e-3


def prepare(folder: Path, settings: Settings, seed: int) -> None:
    """Render the clips of a seed and decode them once for all of its models."""
    if (folder / f"clips-{seed}.pt").is_file():
        return
    clip_set = ClipSet(train=settings.train, val=settings.val, seed=seed, **CLIP)
    rows = load_clips(render_clips(folder / f"clips-{seed}", clip_set, workers=1, progress=False), target=TARGETS)
    config = tiny_ca2st(names=rows["train"].features["label"].names, **CA2ST["CA²ST"])
    processor = HolovidProcessor.for_model(config)
    # all models see the same pixels: those of CA²ST, whose colours are normalised in their own way
    decoded = {split: vars(decode(rows[split], processor, TARGETS)) for split in ("train", "validation")}
    with new_file(folder / f"clips-{seed}.pt") as unfinished:
        torch.save(decoded, unfinished)


def read(folder: Path, seed: int) -> tuple[DecodedClips, DecodedClips]:
    decoded = torch.load(folder / f"clips-{seed}.pt", mmap=True)
    return DecodedClips(**decoded["train"]), DecodedClips(**decoded["validation"])


def conditions(model: torch.nn.Module, seed: int) -> dict[str, dict[str, Any]]:
    """How to measure a model -> arguments of `measure`."""
    ways = {"as it is": {}, "frames shuffled": shuffling(seed), "held still": {"change": hold_still}}
    return ways | ({"muted": {"change": mute}} if "audio" in getattr(model.config, "experts", []) else {})


@dataclasses.dataclass(frozen=True)
class Part:
    """A family and its part of the page.

    Args:
        models: names of what is trained.
        goals: what has to come out.
        run: trains a model, given output folder, settings, seed and its name, and returns what was measured.
        text: heading, tables and what is to be known about them.
    """

    models: list[str]
    goals: Goals
    run: Callable[[Path, Settings, int, str], dict[str, Results]]
    text: Callable[[dict[int, dict[str, Results]]], str]


def order_of_frames(
    model_type: str,
    title: str,
    about: str,
    sighted: dict[str, dict[str, Any]],
    blind: dict[str, dict[str, Any]],
    temporal_embeddings_std: float = 0.0,
) -> Part:
    """The part of a family that sees and does not hear: its models learn the motion.

    Args:
        sighted: models that see order, by name: fields of their configuration.
        blind: models that do not.
        temporal_embeddings_std: of the random numbers that temporal embeddings start at; 0: as they are made.
    """
    models = sighted | blind

    def run(folder: Path, settings: Settings, seed: int, name: str) -> dict[str, Results]:
        train, validation = (clips.about("motion") for clips in read(folder, seed))
        set_seed(seed)
        model = AutoModelForVideoClassification.from_config(tiny(model_type, train.names["motion"], **models[name]))
        for which, parameter in model.named_parameters():
            if temporal_embeddings_std and which.endswith("temporal_embeddings"):
                torch.nn.init.trunc_normal_(parameter, std=temporal_embeddings_std)
        fine_tune(
            model,
            train.first(settings.motion_clips),
            None,
            folder / "runs" / f"{seed}-{name}",
            epochs=settings.motion_epochs,
            learning_rate=settings.motion_learning_rate,
            seed=seed,
        )
        ways = conditions(model, seed)
        return {name: {how: measure(model, validation, ["motion"], **given) for how, given in ways.items()}}

    def text(results: dict[int, dict[str, Results]]) -> str:
        rows = [[name, *(cell(results, name, how, "motion") for how in SEEN)] for name in models]
        family = title.partition(":")[0]
        return f"## {title}\n\nAccuracy on the motion.\n{about}\n\n{table([family, *SEEN], rows)}\n"

    return Part(
        models=list(models),
        goals={(name, "as it is", "motion"): "≥ 0.95" for name in sighted}
        | {(name, "as it is", "motion"): "≤ 0.55" for name in blind}
        | {(name, "frames shuffled", "motion"): "≤ 0.55" for name in models},
        run=run,
        text=text,
    )


def run_ca2st(folder: Path, settings: Settings, seed: int, name: str) -> dict[str, Results]:
    train, validation = read(folder, seed)
    if name == NOT_TOLD_WHEN:
        for clips in (train, validation):
            clips.inputs["frame_times"] = clips.inputs["frame_times"].mean(dim=1, keepdim=True).expand(-1, NUM_FRAMES)
    set_seed(seed)
    model = CA2STForVideoClassification(tiny_ca2st(names=train.names["label"], **CA2ST[name]))
    fine_tune(
        model,
        train,
        None,
        folder / "runs" / f"{seed}-{name}",
        epochs=settings.ca2st_epochs,
        learning_rate=settings.ca2st_learning_rate,
        seed=seed,
    )
    ways: dict[str, dict[str, Any]] = {"as it is": {}}
    if name == "CA²ST":  # the one whose experts are taken away after training, too
        grey = {f"{expert} sees grey": {"within": without_expert(model, expert)} for expert in ("space", "time")}
        ways = conditions(model, seed) | grey
    on_label = {name: {how: measure(model, validation, FACTORS, **given) for how, given in ways.items()}}
    if name == NOT_TOLD_WHEN:
        return on_label

    set_seed(seed)
    matcher = CA2STForVideoClassification(tiny_ca2st(names=train.names["match"], **CA2ST[name]))
    matcher.ca2st.load_state_dict(model.ca2st.state_dict())
    matcher.readouts.load_state_dict(model.readouts.state_dict())
    fine_tune(
        matcher,
        train.about("match"),
        None,
        folder / "runs" / f"{seed}-{MATCH_FROM}{name}",
        epochs=settings.match_epochs,
        learning_rate=settings.match_learning_rate,
        seed=seed,
    )
    clips = validation.about("match")
    on_match = {how: measure(matcher, clips, ["match"], **given) for how, given in conditions(matcher, seed).items()}
    return on_label | {MATCH_FROM + name: on_match}


def text_of_ca2st(results: dict[int, dict[str, Results]]) -> str:
    full = [
        [how, *(cell(results, "CA²ST", how, what) for what in ["label", *FACTORS])]
        for how in [*HEARD, "space sees grey", "time sees grey"]
    ]
    family = [[name, *(cell(results, name, "as it is", what) for what in ["label", *FACTORS])] for name in CA2ST]
    matched = [name for name in CA2ST if name != NOT_TOLD_WHEN]
    match = [[name, *(cell(results, MATCH_FROM + name, how, "match") for how in HEARD)] for name in matched]
    return f"""## CA²ST: every expert adds what the others lack

The trained model, with a part of its input taken away:

{table(["CA²ST", "label", *FACTORS], full)}

Models trained without an expert (every model of the family has space):

{table(["trained", "label", *FACTORS], family)}

CAVA has no time expert, yet predicts the motion: its exchange with audio tells it the time of each frame. It does not
if it is trained with the same time for all frames (last row).

## Motion and sound together

{table(["`match`", *HEARD], match)}
"""


PARTS = {
    "xvit": order_of_frames(
        "xvit",
        title="XViT: mixing tells the model about order",
        about="All frames share one temporal embedding, so only mixing tells the model about order.",
        sighted={
            "mixing, window 1": {},
            "mixing, window 2": {"mix_window": 2},
            "mixing, attention pooling": {"pooling": "attention"},
            "mixing and a summary token": {"num_summary_tokens": 1},
        },
        blind={
            "no mixing": {"mix_layers": []},
            "no mixing, attention pooling": {"mix_layers": [], "pooling": "attention"},
            "no mixing, a summary token": {"mix_layers": [], "num_summary_tokens": 1},
        },
    ),
    "time_sformer": order_of_frames(
        "time_sformer",
        title="TimeSformer: temporal embeddings tell the model about order",
        about="""A temporal embedding tells patches their time. Space-only attention has none, and averages the
frames. A TimeSformer's embedding starts at zero, to suit the weights of an image model. These models start from
scratch, so their embedding starts at random, with a standard deviation of 0.3. From zero, divided attention stayed at
0.500 (seed 0); with a deviation of 0.12 it did so in one seed of three.""",
        sighted={
            "TimeSformer, divided": {"attention_type": "divided_space_time"},
            "TimeSformer, joint": {"attention_type": "joint_space_time"},
        },
        blind={"TimeSformer, space only": {"attention_type": "space_only"}},
        temporal_embeddings_std=0.3,
    ),
    "video_swin": order_of_frames(
        "video_swin",
        title="Video Swin: patches and windows tell the model about order",
        about="""A patch covers two frames, a window covers four patches in time. Attention in a window knows the
distance of two patches. With patches and windows of one frame, nothing tells the model about time.""",
        sighted={"Video Swin": {}},
        blind={"Video Swin, frame by frame": {"patch_size": (1, 8, 8), "window_size": (1, 3, 3)}},
    ),
    "ca2st": Part(
        models=list(CA2ST),
        goals={
            ("CA²ST", "as it is", "label"): "≥ 0.97",
            ("CA²ST", "frames shuffled", "motion"): "≤ 0.55",
            ("CA²ST", "muted", "sound"): "≤ 0.55",
            (MATCH_FROM + "CA²ST", "as it is", "match"): "≥ 0.95",
            (MATCH_FROM + "CA²ST", "frames shuffled", "match"): "≤ 0.55",
            (MATCH_FROM + "CA²ST", "muted", "match"): "≤ 0.55",
            (MATCH_FROM + "CAST (no audio)", "as it is", "match"): "≤ 0.55",
            (NOT_TOLD_WHEN, "as it is", "motion"): "≤ 0.55",
        },
        run=run_ca2st,
        text=text_of_ca2st,
    ),
}


def kept_in(folder: Path, seed: int, name: str) -> Path:
    return folder / f"{seed}-{name}.json"


def run(folder: Path, settings: Settings, seed: int, part: str, name: str) -> None:
    """Train a model, measure it, and keep what was measured."""
    torch.set_num_threads(1)  # so small a model gains nothing from more
    transformers.logging.set_verbosity_error()
    start = time.process_time()  # what it takes, however busy the machine is
    results = PARTS[part].run(folder, settings, seed, name)
    kept = {"seconds": time.process_time() - start, "results": results}
    write_whole(kept_in(folder, seed, name), json.dumps(kept))


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("ablation-output"), help="folder of clips and results")
    parser.add_argument("--table", type=Path, help="Markdown file to write; default: ablation.md in the output folder")
    parser.add_argument("--families", nargs="+", choices=PARTS, default=list(PARTS), help="whose parts of the page")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=min(os.cpu_count() or 1, 8), help="models trained at a time")
    for field in dataclasses.fields(Settings):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    return parser.parse_args(argv)


def same_settings(folder: Path, settings: Settings) -> None:
    """Results of other settings must not be mixed with ours."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp, wanted = folder / "settings.json", dataclasses.asdict(settings)
    if stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8")) != wanted:
        raise SystemExit(f"{folder} holds results of other settings; name another --output")
    stamp.write_text(json.dumps(wanted), encoding="utf-8")


def train_all(
    args: argparse.Namespace, settings: Settings, parts: dict[str, Part]
) -> tuple[dict[int, dict[str, Results]], float]:
    """seed -> model -> measured how -> accuracies, of this run and those it goes on from; and CPU seconds."""
    models = [(part, name) for part in reversed(parts) for name in parts[part].models]  # the long ones first
    missing = [
        (seed, part, name)
        for (part, name), seed in product(models, args.seeds)
        if not kept_in(args.output, seed, name).is_file()
    ]
    seeds = sorted({seed for seed, *_ in missing})
    # processes that start afresh: a fork of one in which torch has run may wait for ever
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(args.workers, mp_context=context) as pool, Progress(console=console) as bar:
        preparing = bar.add_task("Rendering and decoding", total=len(seeds))
        training = bar.add_task("Training", total=len(missing))
        for job in as_completed([pool.submit(prepare, args.output, settings, seed) for seed in seeds]):
            job.result()
            bar.advance(preparing)
        jobs = {pool.submit(run, args.output, settings, *model): model for model in missing}
        for job in as_completed(jobs):
            job.result()
            bar.advance(training)
            bar.console.print("  seed {}: {}, {}".format(*jobs[job]))
    for seed in seeds:  # large, and quickly made again
        (args.output / f"clips-{seed}.pt").unlink()
    results: dict[int, dict[str, Results]] = {seed: {} for seed in args.seeds}
    seconds = 0.0
    for seed, (_, name) in product(args.seeds, models):
        kept = json.loads(kept_in(args.output, seed, name).read_text(encoding="utf-8"))
        results[seed] |= kept["results"]
        seconds += kept["seconds"]
    return results, seconds


def cell(results: dict[int, dict[str, Results]], model: str, how: str, what: str) -> str:
    """The accuracy for each seed; nothing where that cannot be measured."""
    values = [measured[model].get(how, {}).get(what) for measured in results.values()]
    return "" if None in values else " / ".join(f"{value:.3f}" for value in values)


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(
    parts: Iterable[Part], results: dict[int, dict[str, Results]], settings: Settings, command: str, how_long: str
) -> str:
    """What docs/ablation.md says."""
    goals = goals_of(parts)
    missed = failures(goals, results)
    verdict = "\n".join(["Missed:", "", *(f"- {line}" for line in missed)]) if missed else "All goals are reached."
    versions = (
        f"Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}"
    )
    return f"""# What each mechanism is for

{__doc__.partition(chr(10) * 2)[2].rpartition(chr(10) * 2)[0]}

Accuracies on {settings.val} clips, for seeds {" / ".join(map(str, results))}.
Printed by `{command}` on {date.today()}; {how_long}.
{versions}.

{chr(10).join(part.text(results) for part in parts)}
## Goals, for every seed

{table(["model", "measured", "accuracy of", "expected"], [[*measured, goal] for measured, goal in goals.items()])}

{verdict}
"""


def goals_of(parts: Iterable[Part]) -> Goals:
    return {measured: goal for part in parts for measured, goal in part.goals.items()}


def failures(goals: Goals, results: dict[int, dict[str, Results]]) -> list[str]:
    """The goals that are missed, in words."""
    missed = []
    for (model, how, what), goal in goals.items():
        for seed, measured in results.items():
            if not reached(value := measured[model][how][what], goal):
                missed.append(f"{model}, {how}: {what} {value:.3f}, not {goal} (seed {seed})")
    return missed


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    settings = Settings(**{field.name: getattr(args, field.name) for field in dataclasses.fields(Settings)})
    same_settings(args.output, settings)
    parts = {name: part for name, part in PARTS.items() if name in args.families}
    results, seconds = train_all(args, settings, parts)
    command = shlex.join(["examples/ablation.py", *(sys.argv[1:] if argv is None else argv)])
    how_long = f"{seconds / 60:.0f} minutes of one core, --workers {args.workers}"
    text = report(parts.values(), results, settings, command, how_long)
    target = args.table or args.output / "ablation.md"
    write_whole(target, text)
    console.print(Markdown(text))
    console.print(f"The table is in {target}.", soft_wrap=True)
    return int(bool(failures(goals_of(parts.values()), results)))


if __name__ == "__main__":
    sys.exit(main())
