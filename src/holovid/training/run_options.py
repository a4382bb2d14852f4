"""Options of a training run as a user writes them, and the checks that need no torch."""

import ast
import inspect
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import yaml

from holovid.cheap_checks import check_clips, check_model_name, check_new_folder, check_root
from holovid.configuration.suggestions import did_you_mean, nearest
from holovid.families.family import variants, with_all_experts
from holovid.recipes import FINETUNE, SMALL, get_recipe

RUN_FILES = (".yaml", ".yml", ".json")
SHORT_NAMES = {"output": "output_dir"}
SHORT = re.compile(rf"^--({'|'.join(SHORT_NAMES)})(=|$)")
ENTRY = re.compile(r"^    (\w+): (.*)$")  # in "Args:" of a docstring
LARGEST_FILE = 2**20  # bytes; typical files have a few thousand


@dataclass
class RunArguments:
    """
    Args:
        data: training clips: a folder (train/<label>/*.mp4, val/...), a table or a Hub id. May also be the first word
            of the command line.
        recipe: a paper's recipe (such as cast-ssv2), or ours: small, the default for new weights, and finetune, the
            default for trained ones. It sets the defaults of the other arguments.
        model: a name for new weights (such as cast), or a folder or Hub id of a holovid model, or of an image ViT from
            which an XViT starts. Without it and a recipe: a tiny new model that uses frames and audio.
        experts: start from published experts: space=ID time=ID audio=ID, two or all of them.
        freeze_experts: do not train the experts' own weights; default: true with --experts.
        validation: validation clips, if they are not in --data.
        root: folder that relative paths in tables start from; default: that of the table.
        target: column of labels; or verb noun. Default: label; for scores also quality, score or mos.
        problem_type: a class a clip (single_label_classification), any number of classes
            (multi_label_classification; in text as run|jump) or a number (regression). Default: as the starting
            model was trained, else a class, or several in a column of lists.
        score_range: lowest and highest possible score, for a model with a score range, such as 0 100; default: the
            model's, or for a new one the narrowest usual range that holds the training scores.
        score_decoder: how such a model decodes scores: grid, the nearest of all scores (default of new models), or
            support_vectors, as StarVQA's released code does, which needs scikit-learn.
        class_weights: balanced makes rare classes count as much as frequent ones; default: every clip counts alike.
        num_frames: frames of a clip, instead of the recipe's.
        image_size: side of a frame in pixels, instead of the model's.
        flip: mirror half of the clips; not for labels that tell left from right. Default: as in the recipe; finetune
            decides by the names of the classes.
        missing: for clips whose file does not exist.
        on_broken: for clips that cannot be read.
        ema_decay: average the weights over the steps with this decay, such as 0.999.
        adapters_only: save without the frozen experts, which loading downloads again; default: as the starting model
            was saved.
        data_licence: licence of the clips, for the model's card.
    """

    data: str
    recipe: str = ""
    model: str | None = None
    experts: list[str] | None = None
    freeze_experts: bool | None = None
    validation: str | None = None
    root: str | None = None
    target: list[str] = field(default_factory=lambda: ["label"])
    problem_type: Literal["single_label_classification", "multi_label_classification", "regression"] | None = None
    score_range: list[float] | None = None
    score_decoder: Literal["grid", "support_vectors"] | None = None
    class_weights: Literal["balanced"] | None = None
    num_frames: int | None = None
    image_size: int | None = None
    flip: bool | None = None
    missing: Literal["raise", "skip"] = "raise"
    on_broken: Literal["raise", "skip"] = "raise"
    ema_decay: float | None = None
    adapters_only: bool | None = None
    data_licence: str | None = None

    def __post_init__(self) -> None:
        for name, chosen in chosen_start(vars(self)).items():
            setattr(self, name, chosen)


def meanings(described: type) -> dict[str, str]:
    """Name -> description of each argument of a class, from the "Args:" of its docstring.

    >>> meanings(RunArguments)["num_frames"]
    "frames of a clip, instead of the recipe's."
    """
    lines = inspect.cleandoc(described.__doc__ or "").partition("Args:\n")[2].splitlines()
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        if entry := ENTRY.match(line):
            name, line = entry[1], entry[2]
            found[name] = ""
        found[name] = f"{found[name]} {line.strip()}".strip()
    return found


class PlainLoader(yaml.SafeLoader):
    """YAML of names and values: no aliases (which can expand to gigabytes), and no name twice."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.events.AliasEvent):
            raise ValueError(f"line {self.peek_event().start_mark.line + 1} has an alias; write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            names = [key.value for key, _ in node.value if isinstance(key.value, str)]
            twice = next((name for name in names if names.count(name) > 1), "a name")
            raise ValueError(f"it gives {twice!r} more than once")
        return mapping


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """The command line for the parser: the file of arguments read, the clips behind --data.

    >>> spelled_out(["clips", "--model", "xvit", "--output=run"])
    ['--data', 'clips', '--model', 'xvit', '--output_dir=run']
    """
    words = list(arguments)
    of_file: list[str] = []
    if words and Path(words[0]).suffix.lower() in RUN_FILES:
        of_file = arguments_of(Path(words.pop(0)))
    if words and not words[0].startswith("-"):
        words.insert(0, "--data")
    return [SHORT.sub(lambda found: f"--{SHORT_NAMES[found[1]]}{found[2]}", word) for word in of_file + words]


def chosen_start(given: Mapping[str, Any]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    if given.get("recipe"):
        return chosen
    if not given.get("model") and not given.get("experts"):
        chosen["model"] = with_all_experts().name  # with all experts, for every kind of label
    is_new = (chosen.get("model") or given.get("model")) in variants()
    chosen["recipe"] = (SMALL if is_new else FINETUNE).name
    return chosen


def arguments_of(file: Path) -> list[str]:
    """A YAML or JSON file of arguments as a command line, so that both are parsed the same way.

    (YAML reads 1e-3 as text; on a command line everything is text.) Raises `ValueError` for files with other content,
    `OSError` for those that cannot be read.
    """
    if file.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{file} is not a file of arguments: it is larger than {LARGEST_FILE:,} bytes")
    try:
        entries = yaml.load(file.read_text(encoding="utf-8-sig"), Loader=PlainLoader)  # JSON is YAML, too
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise ValueError(f"{file} cannot be read: {reason}") from error
    if not isinstance(entries, dict):
        raise ValueError(f"{file} must hold lines such as 'recipe: small', got {str(entries)[:60]!r}")
    arguments = []
    for name, value in entries.items():
        if value is None:
            continue
        words = value if isinstance(value, list) else [json.dumps(value) if isinstance(value, dict) else value]
        arguments += [f"--{name}", *map(str, words)]
    return arguments


def check_run(arguments: Sequence[str], more: Iterable[str] | None = None) -> None:
    """Raise `ValueError` or `OSError` for errors in a training command line that are cheap to find.

    `more` are option names besides `RunArguments`; default: the fields of transformers' `TrainingArguments`.
    """
    arguments = spelled_out(arguments)
    if {"-h", "--help"} & set(arguments):
        return
    more = training_fields() if more is None else more
    if more:
        check_spelling(arguments, [*(each.name for each in fields(RunArguments)), *more])
    given = values_of(arguments)
    for name in ("data", "model", "recipe", "validation", "root"):
        if len(given.get(name, [])) > 1:
            raise ValueError(
                f"{given[name][1]!r} belongs to no argument: --{name} takes one word, and clips come first: "
                f"holovid train clips --{name} {given[name][0]}"
            )
    if "data" not in given:
        raise ValueError("the clips are missing: pass --data, or name them as the first word")
    chosen = chosen_start({name: " ".join(words) for name, words in given.items()})
    given |= {name: [value] for name, value in chosen.items()}
    for name in given.get("recipe", []):
        get_recipe(name)
    for name in given.get("model", []):
        family, _, source = name.partition("=")  # xvit=ID, or an id alone
        if name not in variants():
            check_family(name)
            check_model_name(source if family in variants() else name)
    for source in given.get("data", []) + given.get("validation", []):
        check_clips(source, given.get("target", ["label"]))
    for folder in given.get("root", []):
        check_root(folder)
    for folder in given.get("output_dir", []):
        check_new_folder(folder)
    for expert in given.get("experts", []):
        if source := expert.partition("=")[2]:
            check_model_name(source)


def check_family(model: str) -> None:
    """Raise `ValueError` for a name that is almost one of new weights, because as a Hub id it would be asked for."""
    family = model.partition("=")[0]
    near = None if "/" in family or Path(model).is_dir() else nearest(family, variants())
    if near is not None and near != family:
        raise ValueError(f"there is no model or folder {family!r}; did you mean {near!r}?")


def check_spelling(arguments: Sequence[str], known: Sequence[str]) -> None:
    for argument in arguments:
        name = argument.partition("=")[0].removeprefix("--").replace("-", "_")
        if argument.startswith("--") and not any(each.startswith((name, name.removeprefix("no_"))) for each in known):
            raise no_such_argument(argument, known)


def no_such_argument(argument: str, known: Sequence[str]) -> ValueError:
    name = argument.partition("=")[0].removeprefix("--").replace("-", "_")
    return ValueError(f"there is no argument {argument!r}; {did_you_mean(name, known, alike=0, written='--{}')}")


def values_of(arguments: Sequence[str]) -> dict[str, list[str]]:
    """The words after each option; the last one counts if it is repeated."""
    values: dict[str, list[str]] = {}
    words: list[str] = []
    for argument in arguments:
        if argument.startswith("--"):
            name, _, value = argument[2:].partition("=")
            words = values[name.replace("-", "_")] = [value] if value else []
        else:
            words.append(argument)
    return values


def training_fields() -> list[str]:
    """The names of TrainingArguments' fields, read from its source, because importing it imports torch."""
    package: Any = find_spec("transformers")
    source = Path(package.submodule_search_locations[0], "training_args.py")
    if not source.is_file():
        return []
    classes = [node for node in ast.parse(source.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)]
    return [
        line.target.id
        for node in classes
        if node.name == "TrainingArguments"
        for line in node.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    ]
