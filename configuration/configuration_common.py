# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""What configurations, models and processors share: saved ones come with the source code of the classes they name."""

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from transformers.utils import CONFIG_NAME, PushToHubMixin


class UploadedWhole(PushToHubMixin):
    """Mixin for what `push_to_hub` uploads: in the installed package, `holovid.saving` completes what goes.

    A class that was loaded from a folder with its source needs nothing of this: transformers copies its files.
    """

    def _upload_modified_files(self, working_dir, *args, **kwargs):
        if saving := self._saving():
            saving.complete_upload(self, working_dir)
        return super()._upload_modified_files(working_dir, *args, **kwargs)

    def _saving(self):
        """`None` for a copy of this file beside a saved model, and for classes that a user made of ours."""
        if not __name__.startswith("holovid."):
            return None
        saving = import_module("holovid.saving")
        return saving if type(self).__module__.startswith("holovid.") or saving.is_ours(type(self)) else None


class SavedWithSource(UploadedWhole):
    """Mixin for what names its class in a JSON file of the saved folder: configurations (so, models) and processors.

    In the installed package, `holovid.saving` adds the source to each folder that is saved, so that it loads with
    `trust_remote_code=True` where holovid is absent.
    """

    def save_pretrained(self, save_directory, **kwargs):
        saving = self._saving()
        if saving is None or os.path.isfile(save_directory):  # which transformers refuses
            return super().save_pretrained(save_directory, **kwargs)
        saving.name_classes(self, save_directory)
        saved = saving.save_whole(super().save_pretrained, save_directory, **kwargs)
        saving.write_source(self, save_directory)
        return saved


class SavedConfiguration(SavedWithSource):
    """Mixin for configurations: one that is not there is an error, where transformers takes the defaults.

    What tools ask of every family has an answer here, which a family may change by a field or a property of its own.
    """

    @property
    def hears(self) -> bool:
        """Whether the model takes sound beside frames."""
        return False

    @property
    def reads_times(self) -> bool:
        """Whether it takes the seconds of frames and sound beside them."""
        return False

    @property
    def frame_options(self) -> Mapping[str, Any]:
        """Options of the video processor that the released models of its kind were made with."""
        return {}

    @property
    def score_range(self) -> Sequence[float] | None:
        """The lowest and the highest number that it answers, where that is known."""
        return None

    @property
    def score_mean(self) -> float | None:
        """The mean of such numbers over its training set."""
        return None

    @property
    def experts(self) -> Sequence[str]:
        """Published models that it is made of, and that may be frozen."""
        return ()

    @property
    def expert_sources(self) -> Mapping[str, Any] | None:
        """Where these come from."""
        return None

    @property
    def adapters_only(self) -> bool:
        """Whether saved folders leave their weights out."""
        return False

    @classmethod
    def get_config_dict(cls, pretrained_model_name_or_path, **kwargs):
        settings, kwargs = super().get_config_dict(pretrained_model_name_or_path, **kwargs)
        if not settings:  # of a save that was killed, weights would load with the sizes of another model
            raise OSError(f"{pretrained_model_name_or_path} has no {CONFIG_NAME}, or nothing is in it")
        return settings, kwargs


__all__ = ["SavedConfiguration", "SavedWithSource", "UploadedWhole"]
