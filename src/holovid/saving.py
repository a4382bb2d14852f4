"""Save models and processors so that a folder loads as the last complete save, or does not load.

transformers writes the configuration first and then the weights in place, and keeps an older `model.safetensors`,
which it would load before newer shards. If the process is killed in between, the folder loads a mixture without an
error. Here all files are written elsewhere first and then moved, the configuration last. The folder also gets the
source of its classes (`holovid.travelling`), and uploads get a complete card.

`SavedWithSource`, the base class of configurations and processors, calls `name_classes`, `save_whole` and
`write_source`, and before an upload `complete_upload`.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from huggingface_hub import ModelCard
from safetensors import SafetensorError
from transformers import CONFIG_MAPPING, PreTrainedConfig
from transformers.utils import CONFIG_NAME, FEATURE_EXTRACTOR_NAME, PROCESSOR_NAME, VIDEO_PROCESSOR_NAME

from holovid.configuration.configuration_common import SavedWithSource, UploadedWhole
from holovid.files import added_files, write_whole
from holovid.travelling import inner_classes, is_ours, named_classes, source_files

CARD = "README.md"
# the files that loading starts from, also for PEFT adapters
SETTINGS = (PROCESSOR_NAME, VIDEO_PROCESSOR_NAME, FEATURE_EXTRACTOR_NAME, "adapter_config.json", CONFIG_NAME)
WEIGHTS = re.compile(r"(?P<kind>\w+?)(?P<variant>\.\w+)?(-\d{5}-of-\d{5})?\.safetensors")
INDEX = re.compile(r"(?P<kind>\w+)\.safetensors\.index(?P<variant>\.\w+)?\.json")


def save_whole(save: Callable[..., Any], folder: str | os.PathLike, **options: Any) -> Any:
    """`save(folder, **options)`, where `save` is a `save_pretrained` method: all of its files appear, or none does.

    With `push_to_hub=True`, `save` is called again for the upload, so that a failed upload does not undo the save.

    Returns what `save` returns. Raises `ValueError` if another process is saving to the folder, and `OSError` if the
    files cannot be written.
    """
    push_to_hub, tensors = options.pop("push_to_hub", False), options.pop("state_dict", None)

    def given() -> dict[str, Any]:  # a copy, since transformers empties the dictionary of tensors
        return options if tensors is None else options | {"state_dict": dict(tensors)}

    with saved_whole(folder) as unfinished:
        saved = save(unfinished, **given())
    if push_to_hub:
        with TemporaryDirectory(prefix="holovid-") as work:  # by default, the repository has the folder's name
            named = os.path.join(work, Path(folder).absolute().name)  # a string, since processors split it
            save(named, push_to_hub=True, **given())
    if isinstance(saved, list):  # names of files
        return [os.path.join(folder, os.path.basename(name)) for name in saved]
    return saved


@contextmanager
def saved_whole(folder: str | os.PathLike) -> Iterator[Path]:
    """Yield a folder to save to, whose files are moved into `folder` at the end, the configuration last.

    Raises what `save_whole` raises.
    """
    with added_files(folder, SETTINGS, stale_weights) as unfinished:
        try:
            yield unfinished
        except SafetensorError as error:
            reason = str(error).rpartition(": ")[2]
            raise OSError(f"{folder} cannot be written and is unchanged: {reason}") from error


def stale_weights(old: Iterable[str], new: Iterable[str]) -> list[str]:
    """Old files of weights that loading would mix with the new ones: those of the same kind and variant."""
    kinds = {kind for name in new if (kind := kind_of_weights(name))}
    return [name for name in old if name not in new and kind_of_weights(name) in kinds]


def kind_of_weights(name: str) -> tuple[str, str | None] | None:
    """
    >>> list(map(kind_of_weights, ("model-00001-of-00002.safetensors", "model.fp16.safetensors", "config.json")))
    [('model', None), ('model', '.fp16'), None]
    """
    found = WEIGHTS.fullmatch(name) or INDEX.fullmatch(name)
    return (found["kind"], found["variant"]) if found else None


def name_classes(saved: SavedWithSource, folder: str | os.PathLike) -> None:
    """Set `auto_map` of `saved` and its parts, which tells the Auto classes where their code is in `folder`.

    Entries of a user's own class (`register_for_auto_class`) stay if transformers has copied its file into the folder;
    other entries are left over from the folder that `saved` was loaded from.
    """
    for name in ("video_processor", "feature_extractor"):
        if isinstance(part := getattr(saved, name, None), SavedWithSource):
            name_classes(part, folder)
    ours = {
        auto_class: f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
        for auto_class, cls in named_classes(type(saved)).items()
    }
    files = source_files(type(saved), inner_classes(saved))
    theirs = {
        auto_class: reference
        for auto_class, reference in (getattr(saved, "auto_map", None) or {}).items()
        if (file := f"{reference.partition('.')[0]}.py") not in files and Path(folder, file).is_file()
    }
    saved.auto_map = ours | theirs


def write_source(saved: SavedWithSource, folder: str | os.PathLike) -> None:
    """Write the source of the classes of `saved` into `folder`.

    Raises `ValueError` if the source would not load without holovid.
    """
    folder = Path(folder)
    for name, source in source_files(type(saved), inner_classes(saved)).items():
        write_whole(folder / name, source)
    # Trainer copies a checkpoint's config.json without the source into the folder that it uploads, and then saves the
    # processor there: complete the source of the model here.
    config = folder / CONFIG_NAME
    if not isinstance(saved, PreTrainedConfig) and config.is_file():
        model_type = json.loads(config.read_text(encoding="utf-8")).get("model_type")
        if model_type in CONFIG_MAPPING and is_ours(CONFIG_MAPPING[model_type]):
            config_class = CONFIG_MAPPING[model_type]
            inside = inner_classes(config_class.from_pretrained(folder))
            for name, source in source_files(config_class, inside).items():
                if not (folder / name).exists():
                    write_whole(folder / name, source)


def complete_upload(saved: UploadedWhole, folder: str | os.PathLike) -> None:
    """Before an upload, add to a folder what transformers leaves out: the source, and the card's metadata."""
    folder = Path(folder)
    if isinstance(saved, SavedWithSource):  # `save_pretrained(..., push_to_hub=True)` uploads before it returns
        write_source(saved, folder)
    if (folder / CARD).is_file() and (folder / CONFIG_NAME).is_file():
        text = (folder / CARD).read_text(encoding="utf-8")
        write_whole(folder / CARD, complete_card(text, card_metadata(folder)))


def card_metadata(folder: Path) -> dict[str, str]:
    """Metadata for the card of a saved model: its library and its pipeline."""
    config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    classifier = config["auto_map"].get("AutoModelForVideoClassification", "").rpartition(".")[2]
    classifies = classifier in (config.get("architectures") or ())
    return {"library_name": "transformers"} | ({"pipeline_tag": "video-classification"} if classifies else {})


def complete_card(text: str, metadata: dict[str, str]) -> str:
    """A card with the entries of `metadata` that it lacks; a complete card is returned unchanged."""
    card = ModelCard(text, ignore_metadata_errors=True)
    missing = {name: value for name, value in metadata.items() if getattr(card.data, name, None) is None}
    for name, value in missing.items():
        setattr(card.data, name, value)
    return str(card) if missing else text
