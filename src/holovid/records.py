"""What lies in a model's folder beside the model, for its card: evaluations, where it comes from, how it was trained.

`results.json`, `evaluation/*.json`, `evaluation/*/results.json`: of `holovid evaluate`. `conversion.json`: of `holovid
convert`. `training.json`: of training scripts,

    {"holovid_training": 1,
     "starting_point": Hub id of the model that training began with, or null for new weights,
     "recipe": "xvit-ssv2", "epochs": 35, "steps": 12000, "seed": 0, "total_batch_size": 64, "learning_rate": 0.03,
     "precision": "bf16", "tuned": "all",
     "data": {"name": "ssv2", "source": Hub id or null, "split": "train", "clips": 168913, "licence": "..."},
     "hardware": "8 x NVIDIA A100", "hours": 9.5, "co2_eq_grams": 4200, "command": "python examples/train.py ..."}

in which everything but the first entry may be absent or null: a card says then that it is not recorded.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from holovid.conversion.convert import CONVERSION_NAME
from holovid.facts import ModelFacts
from holovid.publishing.licences import OF_EXPERTS, OF_RELEASES, Origin, is_hub_id, licence_of

TRAINING_NAME = "training.json"
EVALUATIONS = ("results.json", "evaluation/*.json", "evaluation/*/results.json")
NEEDED = {"protocol", "dataset", "metrics", "counts", "fingerprints"}
# marks of our own files, whose names are common ones
EVALUATION_MARK, CONVERSION_MARK, TRAINING_MARK = "holovid_evaluation", "holovid_conversion", "holovid_training"


@dataclass
class Records:
    """
    Args:
        evaluations: what results.json of one set of clips holds, each once.
        means: harmonic means over several sets, names of the sets -> metrics.
        conversion: what conversion.json holds; `None` for a model that was not converted.
        training: what training.json holds; `None` if there is none.
    """

    evaluations: list[dict[str, Any]] = field(default_factory=list)
    means: dict[str, dict[str, float]] = field(default_factory=dict)
    conversion: dict[str, Any] | None = None
    training: dict[str, Any] | None = None


def read_records(folder: Path) -> Records:
    """Raises `ValueError` for a file that cannot be read."""
    records = Records()
    for path in sorted({path for pattern in EVALUATIONS for path in folder.glob(pattern)}):
        found = read(path)
        sets = found["sets"] if isinstance(found.get("sets"), dict) else {"": found}
        measured = [each for each in sets.values() if isinstance(each, dict) and EVALUATION_MARK in each]
        for each in measured:
            if missing := sorted(NEEDED - each.keys()):
                raise ValueError(f"{path} is not a whole evaluation: it lacks {', '.join(missing)}")
        # of several sets each may also lie in a file of its own
        records.evaluations += [each for each in measured if each not in records.evaluations]
        if measured and "harmonic_mean" in found:
            records.means[" and ".join(sets)] = found["harmonic_mean"]
    records.conversion = read_marked(folder / CONVERSION_NAME, CONVERSION_MARK)
    records.training = read_marked(folder / TRAINING_NAME, TRAINING_MARK)
    return records


def read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"), object_hook=without_places)
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    return found if isinstance(found, dict) else {}


def without_places(entries: dict[str, Any]) -> dict[str, Any]:
    """Of absolute paths only the last part."""
    return {
        name: PureWindowsPath(value).name
        if isinstance(value, str) and (os.path.isabs(value) or PureWindowsPath(value).is_absolute())
        else value
        for name, value in entries.items()
    }


def read_marked(path: Path, mark: str) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    found = read(path)
    if mark not in found:
        raise ValueError(f"{path} is none of holovid's: it lacks {mark!r}")
    return found


def origins(facts: ModelFacts, records: Records) -> list[Origin]:
    """Whose weights are in the model, or have to be fetched for it."""
    found = []
    start = (records.training or {}).get("starting_point")
    if start:
        found.append(Origin("starting weights", start if is_hub_id(start) else None, licence=licence_of(start)))
    if records.conversion:
        name = records.conversion["source"] or "tensors"
        sha256 = records.conversion["sha256"]
        found.append(Origin(f"converted file {name}", sha256=sha256, licence=OF_RELEASES.get(facts.family)))
    for expert, about in facts.experts.items():
        part = f"{expert} expert, {about.kind}"
        if about.source or about.sha256:
            source = about.source if is_hub_id(about.source) else None
            found.append(Origin(part, source, about.revision, about.sha256, licence_of(source)))
        elif records.conversion:
            found.append(Origin(f"{part} as in the paper", licence=OF_EXPERTS[expert]))
    return found
