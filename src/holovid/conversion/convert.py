"""Released checkpoints -> holovid models.

    model = from_reference("checkpoint_epoch_00001.pyth", "xvit", num_frames=16, mix_group=8)

A converter maps a reference state dict to (model class, configuration, `Names`, state dict). Sizes, classes, depth and
head follow from the tensors; other settings are arguments.
"""

import hashlib
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from holovid.conversion.checkpoint import StateDict, load_converted, read_checkpoint, some, unwrap
from holovid.conversion.options import options_of
from holovid.families.family import converter_of, named
from holovid.files import new_folder
from holovid.processing.processing_holovid import HolovidProcessor
from holovid.records import CONVERSION, write_record


def from_reference(source: StateDict | str | os.PathLike, family: str, **settings) -> PreTrainedModel:
    """Build the model in a reference checkpoint.

    Args:
        source: a state dict with the reference's tensor names, or the path of a `.pth`, `.pt`, `.pyth`, `.bin` or
            `.safetensors` file, in any layout that the reference's loaders accept.
        family: a model's name in its family's record: "xvit", "cast", "cava", "ca2st".
        settings: what the tensors do not determine: arguments of the family's converter, listed by
            `options_of(family)`.

    Returns the model in evaluation mode, in float32. Raises `ValueError` for an unknown family or setting, a file that
    is not a checkpoint, and for missing, unknown or misshapen tensors, each named.
    """
    accepted = options_of(family)
    state_dict = unwrap(source if isinstance(source, Mapping) else read_checkpoint(source))
    if unknown := settings.keys() - accepted:
        raise ValueError(f"{family} has no setting {some(sorted(unknown))}; it takes {', '.join(accepted)}")
    try:
        model_class, config, names, state_dict = named(converter_of(family))(state_dict, **settings)
        return load_converted(model_class, config, names, state_dict)
    except (LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        # reading sizes may fail on tensors of another family, with other axes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"this is not a {family} checkpoint: its tensors have other shapes ({reason})") from error


def convert(
    source: StateDict | str | os.PathLike,
    family: str,
    output: str | os.PathLike,
    processor_options: Mapping | None = None,
    **settings,
) -> PreTrainedModel:
    """`from_reference`, saved with its processor to the new folder `output`, which appears complete or not at all.

    `processor_options`: those of [`HolovidVideoProcessor`] that the checkpoint does not determine, `sampling` above
    all. conversion.json in the folder records the source file.
    """
    model = from_reference(source, family, **settings)
    processor = HolovidProcessor.for_model(model.config, **processor_options or {})
    with new_folder(output) as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        write_record(CONVERSION, folder, describe_conversion(source, family, settings, processor_options or {}))
    return model


def describe_conversion(
    source: StateDict | str | os.PathLike, family: str, settings: Mapping, processor_options: Mapping
) -> dict[str, Any]:
    """The content of conversion.json: the file's name and hash (`None` for tensors from memory), and the settings."""
    name = digest = None
    if not isinstance(source, Mapping):
        name = Path(source).name
        with open(source, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "family": family,
        "source": name,
        "sha256": digest,
        "settings": {key: value for key, value in settings.items() if key != "id2label"},
        "processor": dict(processor_options),
        "holovid": version("holovid"),
    }
