"""Model cards, made from what the files in a model's folder say and nothing else.

    card = build_card("my-model", licence="apache-2.0", repo_id="user/my-model")
    write_card(card, "my-model/README.md")

Results on a card were measured with `holovid evaluate`; published ones stand apart, with their sources. The same
folder gives the same card, byte for byte. `holovid.records` describes the files.
"""

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from transformers import AutoConfig
from transformers.utils import CONFIG_NAME, PROCESSOR_NAME

from holovid.cheap_checks import is_hub_id
from holovid.evaluation.fingerprints import fingerprint_model
from holovid.evaluation.metric_names import parts_of, title_of
from holovid.facts import model_facts
from holovid.families.family import family_of
from holovid.files import write_whole
from holovid.loading import load_classifier
from holovid.publishing.card_picture import PICTURE, check_drawn
from holovid.publishing.card_results import by_whether_fused, views
from holovid.publishing.card_snippets import write_snippets
from holovid.publishing.card_text import body
from holovid.publishing.licences import LICENCES, Licence, check_licence, origins
from holovid.publishing.subject import Subject
from holovid.records import TRAINING, Records, read_records

MARK = "<!-- Made by `holovid card`, which will replace it. To keep what you write here, remove this line. -->"
# names of metrics on the Hub; all others are accuracies
METRIC_TYPES = {
    "mean_average_precision": "mean_average_precision",
    "mean_absolute_error": "mae",
    "root_mean_squared_error": "rmse",
    "pearson": "pearsonr",
    "spearman": "spearmanr",
    "kendall": "kendalltau",
    "pearson_fitted": "pearsonr",
}
TASK = "video-classification"


def build_card(
    folder: str | os.PathLike,
    *,
    licence: Licence | str,
    repo_id: str | None = None,
) -> ModelCard:
    """The card of the model in a folder.

    Args:
        folder: a classifier of holovid with its processor.
        licence: the Hub's id of a licence, such as "apache-2.0"; for any other licence `Licence("other", name, link)`.
        repo_id: "user/name" that the model will be loaded by. Default: the name of the folder.

    The card shows the picture that [`draw_card_picture`] wrote into the folder, and those of evaluations.

    Raises `ValueError` for a licence that is unknown or permits more than those of the experts, for evaluations and a
    picture of other weights, and for a folder that holds no classifier of holovid.
    """
    folder = Path(folder)
    if not (folder / CONFIG_NAME).is_file():
        raise ValueError(f"{folder} is not the folder of a model: it has no {CONFIG_NAME}")
    check_name(repo_id)
    records = read_records(folder)
    facts = model_facts(folder)
    config = AutoConfig.from_pretrained(folder)
    made_of = origins(config, facts, records)
    licence = check_licence(licence, made_of)
    picture = folder / PICTURE
    if not facts.adapters_only:  # adapters were evaluated with their experts, which are not here
        own = cache(lambda: fingerprint_model(load_classifier(folder)[0]))  # loads the model at most once
        check_measured(folder, records, own)
        check_drawn(picture, own)
    name = repo_id or folder.resolve().name
    module = family_of(config).public(facts.model_class).__module__.rpartition(".")[2]
    auto_processor = "AutoProcessor" if (folder / PROCESSOR_NAME).is_file() else "AutoVideoProcessor"
    subject = Subject(
        name=name,
        config=config,
        facts=facts,
        records=records,
        origins=made_of,
        licence=licence,
        snippets=write_snippets(facts, name, module, auto_processor),
        picture=PICTURE if picture.is_file() else None,
    )
    data = metadata(subject)
    card = ModelCard(f"---\n{data.to_yaml()}\n---\n\n{MARK}\n\n{body(subject)}")
    check_metadata(card)
    return card


def write_card(card: ModelCard, path: str | os.PathLike) -> None:
    """Write a card. Raises `ValueError` if `path` holds a card that somebody wrote by hand."""
    path = Path(path)
    check_written(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, str(card))


def check_name(repo_id: str | None) -> None:
    """Raise `ValueError` for a name of a repository that is not user/name."""
    if repo_id is not None and not is_hub_id(repo_id):
        raise ValueError(f"repo_id must be user/name, got {repo_id!r}")


def check_written(path: Path) -> None:
    """Raise `ValueError` if `path` holds a card that somebody wrote by hand."""
    if path.is_file() and is_by_hand(path.read_text(encoding="utf-8", errors="replace")):
        raise ValueError(f"{path} was not made by holovid card: choose another file with --output, or remove it")


def is_by_hand(text: str) -> bool:
    """Whether a card lacks the mark of `build_card`."""
    return MARK not in text


def check_measured(folder: Path, records: Records, own: Callable[[], str]) -> None:
    """Raise `ValueError` if evaluations are of other weights or of another configuration than those in the folder.

    Evaluations of ensembles are not checked. `own` gives the fingerprint of the model in the folder.
    """
    fingerprints = {each["fingerprints"]["model"] for each in by_whether_fused(records.evaluations)[0]}
    if fingerprints and fingerprints != {own()}:
        raise ValueError(
            f"results in {folder} were measured with other weights or another configuration than it holds: run "
            "holovid evaluate again, or remove them"
        )


def metadata(subject: Subject) -> ModelCardData:
    facts, records = subject.facts, subject.records
    training = records.training or {}
    sources = unique(origin.source for origin in subject.origins)
    data = unique([(training.get("data") or {}).get("source")])
    results = eval_results(records)
    more: dict[str, Any] = {}
    if facts.adapters_only:
        more["base_model_relation"] = "adapter"
    if training.get("co2_eq_grams") is not None:
        more["co2_eq_emissions"] = {"emissions": training["co2_eq_grams"], "source": TRAINING.file}
        if training.get("hardware"):
            more["co2_eq_emissions"]["hardware_used"] = training["hardware"]
    return ModelCardData(
        license=subject.licence.id,
        license_name=subject.licence.name,
        license_link=subject.licence.link,
        library_name="transformers",
        pipeline_tag=TASK,
        tags=list(
            dict.fromkeys(
                [TASK, "action-recognition", facts.model_type, facts.family.replace("²", "2").lower(), "custom_code"]
            )
        ),
        base_model=sources or None,
        datasets=data or None,
        metrics=list(dict.fromkeys(result.metric_type for result in results)) or None,
        model_name=subject.name.rpartition("/")[2] if results else None,
        eval_results=results or None,
        **more,
    )


def unique(names: Any) -> list[str]:
    """Hub ids among names, each once."""
    return list(dict.fromkeys(name for name in names if is_hub_id(name)))


def eval_results(records: Records) -> list[EvalResult]:
    """Results of the model for the Hub's model-index, without ablations and ensembles."""
    results = []
    for each in by_whether_fused(records.evaluations)[0]:
        protocol, dataset = each["protocol"], each["dataset"]
        if protocol["intervention"]:
            continue
        names = ("views", "crops", "flips", "ensemble", "frames", "sampling", "autocast")
        asked = {name: protocol.get(name) for name in names}
        for metric, value in each["metrics"].items():
            if value is None:
                continue
            results.append(
                EvalResult(
                    task_type=TASK,
                    task_name="Video Classification",
                    dataset_type=dataset["name"] if is_hub_id(dataset["name"]) else slug(dataset["name"]),
                    dataset_name=dataset["name"],
                    dataset_config=f"{views(protocol)} views",
                    dataset_split=dataset["split"],
                    metric_type=METRIC_TYPES.get(parts_of(metric)[1], "accuracy"),
                    metric_name=title_of(metric),
                    metric_value=round(value, 4),
                    metric_args={name: value for name, value in asked.items() if value is not None},
                )
            )
    return results


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "clips"


def check_metadata(card: ModelCard) -> None:
    """Raise `ValueError` unless the Hub accepts a card's metadata and they read back as they were written."""
    written = card.data.to_dict()
    if ModelCard(str(card)).data.to_dict() != written:
        raise ValueError("the metadata of the card cannot be read back")
    if written.get("license") not in LICENCES:
        raise ValueError(f"the metadata of the card must name a licence of the Hub, got {written.get('license')!r}")
    for key in ("library_name", "pipeline_tag"):
        if not isinstance(written.get(key), str):
            raise ValueError(f"{key} in the metadata of the card must be text, got {written.get(key)!r}")
    for key in ("tags", "base_model", "datasets", "metrics"):
        values = written.get(key, [])
        if not (isinstance(values, list) and all(isinstance(value, str) for value in values)):
            raise ValueError(f"{key} in the metadata of the card must be a list of texts, got {values!r}")
