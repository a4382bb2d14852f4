# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""Whether there is a model of a name, asked once: what loads files asks ten times, for a minute and a half."""

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

CONFIGURATIONS = ("config.json", "adapter_config.json")  # of which a model has one at least
FOUND_BY_WHO_LOADS = (GatedRepoError, RemoteEntryNotFoundError, RevisionNotFoundError)  # and well said by it


def check_reachable(model: str | os.PathLike, revision: str | None = None) -> None:
    """Raise `ValueError` when a name is neither a folder, nor of a model in the Hub's cache, nor to be had of the Hub.

    Args:
        model: folder or Hub id; of what cannot be either, others say what is wrong.
        revision: branch, tag or commit on the Hub.

    The one request waits as long as huggingface_hub's `HF_HUB_ETAG_TIMEOUT` says.
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
            f"there is no folder {name!r} here, and the Hub has no model of this name, or none that you may read"
        ) from error
    except OfflineModeIsEnabled as error:
        raise ValueError(
            f"there is no folder {name!r} here, and the cache of the Hub does not have it, which HF_HUB_OFFLINE keeps "
            "from being asked"
        ) from error
    except (HfHubHTTPError, httpx.HTTPError) as error:
        reason = " ".join(str(error).split("\n\n")[0].split()) or type(error).__name__
        raise ValueError(
            f"there is no folder {name!r} here, and the Hub at {constants.ENDPOINT} cannot be asked for it: {reason}"
        ) from error


__all__ = ["CONFIGURATIONS", "check_reachable"]
