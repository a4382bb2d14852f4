"""Saving models and processors so that a folder loads as what was saved last, whole, or does not load.

transformers writes the configuration first, then weights over those that are there, and leaves `model.safetensors` of
an older model in place, which it would read before newer shards. A process that is killed in between leaves what loads
without a word and is a mixture of both. Here all is written beside what is there, and then takes its place with the
configuration last.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors import SafetensorError
from transformers.utils import CONFIG_NAME, FEATURE_EXTRACTOR_NAME, PROCESSOR_NAME, VIDEO_PROCESSOR_NAME

from holovid.files import added_files

# what loading starts from, of adapters of PEFT too
SETTINGS = (PROCESSOR_NAME, VIDEO_PROCESSOR_NAME, FEATURE_EXTRACTOR_NAME, "adapter_config.json", CONFIG_NAME)
WEIGHTS = re.compile(r"(?P<kind>\w+?)(?P<variant>\.\w+)?(-\d{5}-of-\d{5})?\.safetensors")
INDEX = re.compile(r"(?P<kind>\w+)\.safetensors\.index(?P<variant>\.\w+)?\.json")


def save_whole(save: Callable[..., Any], folder: str | os.PathLike, **options: Any) -> Any:
    """`save(folder, **options)`, a method `save_pretrained`: its files appear when all are written, or none does.

    With `push_to_hub=True` it is called once more for the upload, so that what is saved stays if that fails.

    Returns what `save` does. Raises `ValueError` when another process is saving to the folder, and `OSError` when the
    files cannot be written.
    """
    push_to_hub, tensors = options.pop("push_to_hub", False), options.pop("state_dict", None)

    def given() -> dict[str, Any]:  # transformers empties the dictionary of tensors
        return options if tensors is None else options | {"state_dict": dict(tensors)}

    with saved_whole(folder) as unfinished:
        saved = save(unfinished, **given())
    if push_to_hub:
        with TemporaryDirectory(prefix="holovid-") as work:  # the repository is called like the folder unless named
            named = os.path.join(work, Path(folder).absolute().name)  # a string: processors split it
            save(named, push_to_hub=True, **given())
    if isinstance(saved, list):  # names of files
        return [os.path.join(folder, os.path.basename(name)) for name in saved]
    return saved


@contextmanager
def saved_whole(folder: str | os.PathLike) -> Iterator[Path]:
    """Yield a folder to save to, whose files go into `folder` at the end, the configuration last.

    Raises what `save_whole` raises.
    """
    with added_files(folder, SETTINGS, stale_weights) as unfinished:
        try:
            yield unfinished
        except SafetensorError as error:
            reason = str(error).rpartition(": ")[2]
            raise OSError(f"{folder} cannot be written, and is as it was: {reason}") from error


def stale_weights(old: Iterable[str], new: Iterable[str]) -> list[str]:
    """Old files of weights that would be read beside new ones or in place of them: of the same kind and variant."""
    kinds = {kind for name in new if (kind := kind_of(name))}
    return [name for name in old if name not in new and kind_of(name) in kinds]


def kind_of(name: str) -> tuple[str, str | None] | None:
    """
    >>> kind_of("model-00001-of-00002.safetensors"), kind_of("model.fp16.safetensors"), kind_of("config.json")
    (('model', None), ('model', '.fp16'), None)
    """
    found = WEIGHTS.fullmatch(name) or INDEX.fullmatch(name)
    return (found["kind"], found["variant"]) if found else None
