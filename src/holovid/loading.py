"""Trained video classifiers by the name of a folder or of the Hub."""

import os
from pathlib import Path
from typing import Any

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from transformers import AutoConfig, AutoModelForVideoClassification, AutoVideoProcessor, PreTrainedModel

import holovid


def load_classifier(model: str | os.PathLike, trust_remote_code: bool = False) -> tuple[PreTrainedModel, Any]:
    """A model that labels videos, of whichever class it was saved as, and its video processor.

    Args:
        model: folder or Hub id.
        trust_remote_code: run model code that comes with it.

    Raises `ValueError` when `model` is neither a folder nor a possible name on the Hub, or holds no classifier; and
    what loading raises.
    """
    check_model_name(model)
    options = {"trust_remote_code": trust_remote_code}
    config = AutoConfig.from_pretrained(model, **options)
    architecture = (config.architectures or [""])[0]
    if architecture.endswith("Model"):
        raise ValueError(f"{model} holds a {architecture}, which has no classifier: train one first")
    # models of verbs and nouns belong to no Auto class
    if architecture in holovid.__all__:
        classifier = getattr(holovid, architecture).from_pretrained(model)
    else:
        classifier = AutoModelForVideoClassification.from_pretrained(model, **options)
    return classifier, AutoVideoProcessor.from_pretrained(model, **options)


def check_model_name(model: str | os.PathLike) -> None:
    """Raise `ValueError` when `model` is neither a folder nor a possible name on the Hub."""
    if not Path(model).is_dir():
        try:
            validate_repo_id(str(model))
        except HFValidationError as error:
            raise ValueError(f"there is no folder {str(model)!r}, and the Hub has no models of such names") from error
