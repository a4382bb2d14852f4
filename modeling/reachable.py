# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Check once whether a model exists; libraries that load files ask ten times, for a minute and a half."""

import os

from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx, validate_repo_id

CONFIGURATIONS = ("config.json", "adapter_config.json")  # a model has at least one
FOUND_BY_WHO_LOADS = (GatedRepoError, RemoteEntryNotFoundError, RevisionNotFoundError)  # loaders report these clearly


def check_reachable(model: str | os.PathLike, revision: str | None = None) -> None:
    """Raise `ValueError` when a name is neither a folder, nor a model in the Hub's cache, nor one that the Hub offers.

    Args:
        model: folder or Hub id; other values pass, and the loader reports them.
        revision: branch, tag or commit on the Hub.

    It makes one request, with huggingface_hub's timeout `HF_HUB_ETAG_TIMEOUT`.
    """
    name = str(model)
    try:
        validate_repo_id(name)
    except HFValidationError:
        return
    if os.path.exists(name) or any(
        isinstance(try_to_load_from_cache(name, file, revision=revision), str) for file in CONFIGURATIONS
    ):
        return
    try:
        get_hf_file_metadata(hf_hub_url(name, CONFIGURATIONS[0], revision=revision))
    except FOUND_BY_WHO_LOADS:
        return
    except RepositoryNotFoundError as error:
        raise ValueError(
            f"there is no folder {name!r}, and the Hub has no model of this name that you may read"
        ) from error
    except OfflineModeIsEnabled as error:
        raise ValueError(
            f"there is no folder {name!r}, and the Hub's cache has no model of this name; HF_HUB_OFFLINE forbids "
            "asking the Hub"
        ) from error
    except (HfHubHTTPError, httpx.HTTPError) as error:
        reason = " ".join(str(error).split("\n\n")[0].split()) or type(error).__name__
        raise ValueError(
            f"there is no folder {name!r}, and the Hub at {constants.ENDPOINT} cannot be reached: {reason}"
        ) from error


__all__ = ["CONFIGURATIONS", "check_reachable"]
