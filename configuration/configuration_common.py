# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""What configurations, models and processors share: saved folders contain the source code of their classes."""

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from transformers.utils import CONFIG_NAME, PushToHubMixin


class UploadedWhole(PushToHubMixin):
    """Mixin for `push_to_hub`: in the installed package, `holovid.saving` completes what is uploaded."""

    def _upload_modified_files(self, working_dir, *args, **kwargs):
        if saving := self._saving():
            saving.complete_upload(self, working_dir)
        return super()._upload_modified_files(working_dir, *args, **kwargs)

    def _saving(self):
        """`holovid.saving`; `None` in a copy of this file beside a saved model, and for users' subclasses."""
        if not __name__.startswith("holovid."):
            return None
        saving = import_module("holovid.saving")
        return saving if type(self).__module__.startswith("holovid.") or saving.is_ours(type(self)) else None


class SavedWithSource(UploadedWhole):
    """Mixin for classes named in a saved JSON file: `holovid.saving` adds their source (`trust_remote_code=True`)."""

    def save_pretrained(self, save_directory, **kwargs):
        saving = self._saving()
        if saving is None or os.path.isfile(save_directory):  # transformers refuses that
            return super().save_pretrained(save_directory, **kwargs)
        saving.name_classes(self, save_directory)
        saved = saving.save_whole(super().save_pretrained, save_directory, **kwargs)
        saving.write_source(self, save_directory)
        return saved


class SavedConfiguration(SavedWithSource):
    """Mixin for configurations: a missing file is an error. Its properties are what tools ask of every family."""

    @property
    def hears(self) -> bool:
        """Whether the model takes audio."""
        return False

    @property
    def reads_times(self) -> bool:
        """Whether the model takes the times of frames and audio in seconds."""
        return False

    @property
    def frame_options(self) -> Mapping[str, Any]:
        """Options of the video processor that the released models were made with."""
        return {}

    @property
    def score_range(self) -> Sequence[float] | None:
        """The lowest and highest score that the model predicts, if known."""
        return None

    @property
    def score_mean(self) -> float | None:
        return None

    @property
    def experts(self) -> Sequence[str]:
        """Published models inside it, which may be frozen."""
        return ()

    @property
    def expert_sources(self) -> Mapping[str, Any] | None:
        return None

    @property
    def adapters_only(self) -> bool:
        return False

    @classmethod
    def get_config_dict(cls, pretrained_model_name_or_path, **kwargs):
        settings, kwargs = super().get_config_dict(pretrained_model_name_or_path, **kwargs)
        if not settings:  # after a killed save, weights would load with another model's sizes
            raise OSError(f"{pretrained_model_name_or_path} has no {CONFIG_NAME}, or it is empty")
        return settings, kwargs


__all__ = ["SavedConfiguration", "SavedWithSource", "UploadedWhole"]
