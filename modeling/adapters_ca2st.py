# Copyright 2026 The holovid team. Licensed under the Apache License, Version 2.0.
"""CA²ST models and the published experts in them: starting from experts, and saving without them.

Four fifths of CAST are published weights that training does not change. A folder saved with `adapters_only=True` holds
the rest, and its configuration names the experts; loading fetches them, checks their hashes, and gives the same model.
Positions are always saved: they are small, and if resized, interpolation gives other last bits on other machines.
"""

import hashlib
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Self

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers.integrations.accelerate import load_offloaded_parameter
from transformers.modeling_utils import PreTrainedModel, load_state_dict

from holovid.configuration.field_checks import check_field_names
from holovid.modeling.experts_ca2st import (
    EXPERT_PARTS,
    Expert,
    ExpertSource,
    expert_of,
    joint_settings,
    load_experts,
    read_expert,
)
from holovid.modeling.modeling_common import HolovidPreTrainedModel

# Hub options and `experts` of `from_pretrained`, for the step that reads weights
HUB_OPTIONS = ("cache_dir", "force_download", "local_files_only", "proxies", "token")
GIVEN: ContextVar[Mapping[str, ExpertSource] | None] = ContextVar("GIVEN", default=None)


def published(name: str) -> str | None:
    """As `expert_of`, but `None` for positions too, which are always saved."""
    return None if name.endswith(".position_embeddings") else expert_of(name)


def content_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors in the order of their names: of names, types, shapes and bytes.

    `expert_sources` has that of published weights in float32 under our names, whatever the file's format or precision.
    """
    content = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        content.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        content.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return content.hexdigest()


def published_weights(read: Expert) -> dict[str, Tensor]:
    """An expert's weights that an adapters-only checkpoint leaves out, in float32."""
    return {name: tensor.to("cpu", torch.float32) for name, tensor in read.tensors.items() if published(name)}


def record_of(read: Expert) -> dict[str, str | None]:
    return {
        "source": read.source,
        "revision": read.revision,
        "sha256": content_hash(published_weights(read)),
    }


def fetch_expert(
    expert: str, recorded: Mapping[str, str | None] | None, given: ExpertSource | None = None, **hub: Any
) -> dict[str, Tensor]:
    """Read an expert's published weights, from its recorded source or from `given`.

    Raises `ValueError` or `OSError` if they cannot be read, and `ValueError` if they are not those recorded.
    """
    if recorded is None:
        raise ValueError(f"expert_sources in the configuration does not name the {expert} expert")
    hint = f"; pass experts={{{expert!r}: ...}}, a folder, a Hub id or a model"
    source = recorded["source"] if given is None else given
    if source is None:
        raise ValueError(f"the {expert} expert was a model object, so the configuration has no source of it{hint}")
    if given is None:
        hub["revision"] = recorded["revision"]
    name = type(source).__name__ if isinstance(source, PreTrainedModel) else str(source)
    at = f" at revision {recorded['revision']}" if given is None and recorded["revision"] else ""
    try:
        weights = published_weights(read_expert(expert, source, **hub))
    except (OSError, ValueError, SafetensorError) as error:
        kind = ValueError if isinstance(error, ValueError) else OSError
        raise kind(f"the {expert} expert {name}{at} cannot be read: {error}{hint}") from error
    if (found := content_hash(weights)) != recorded["sha256"]:
        raise ValueError(
            f"the {expert} expert {name}{at} is not the one this model was made with: its weights have sha256 "
            f"{found}, the recorded one is {recorded['sha256']}{hint}"
        )
    return weights


class ModelOfExperts(HolovidPreTrainedModel):
    """A model made of published experts and of exchanges between them."""

    def expert_modules(self) -> list[nn.Module]:
        return [module for name, module in self.base_model.named_modules() if re.fullmatch(EXPERT_PARTS, name)]

    def freeze_experts(self, recompute: bool = True) -> None:
        """Train only what is not an expert's: exchanges, adapters, feature norms, functions of seconds and heads.

        Nothing is then kept for gradients of the experts. Their MLPs' hidden layers are computed again in the backward
        pass; `recompute=False` keeps them, which is faster and takes more memory (numbers: docs/speed.md).
        """
        for module in self.expert_modules():
            module.requires_grad_(False)
        for layer in self.base_model.layers:
            for mlp in layer.mlps.values():
                mlp.recompute = recompute

    @classmethod
    def from_experts(
        cls,
        space: ExpertSource | None = None,
        time: ExpertSource | None = None,
        audio: ExpertSource | None = None,
        **config_overrides: Any,
    ) -> Self:
        """Start from published experts, as the papers do. At first each expert computes what it did alone.

        Norms and activations are those of the experts as their authors ran them, whatever a transformers configuration
        says. The time feature's norm starts as VideoMAE's final norm, if it has one. Everything is trained until
        `freeze_experts()` is called, as the papers do.

        Args:
            space: a CLIP image tower (or all of CLIP), as a Hub id, a folder or a model object:
                "openai/clip-vit-base-patch16".
            time: a VideoMAE, as for `space`: "MCG-NJU/videomae-base".
            audio: an AST, as for `space`: "MIT/ast-finetuned-audioset-10-10-0.4593". The middle of its positions is
                kept for `audio_frames` rows (400 unless given); for longer audio they are stretched.
            config_overrides: fields of [`CA2STConfig`], `num_labels`, `id2label`; sizes come from the experts.
                `image_size` and `num_frames` may differ from theirs. `adapters_only=True` saves without the experts.

        Returns the model in evaluation mode, in float32; `config.expert_sources` records the experts. Raises
        `ValueError` when the experts do not fit together, and for any of their tensors that has no place.
        """
        check_field_names(cls.config_class, config_overrides)
        sources = {"space": space, "time": time, "audio": audio}
        experts = {expert: read_expert(expert, source) for expert, source in sources.items() if source is not None}
        settings = joint_settings({expert: read.config for expert, read in experts.items()}, config_overrides)
        settings["expert_sources"] = {expert: record_of(read) for expert, read in experts.items()}
        model = cls(cls.config_class(**settings))
        load_experts(model, experts)
        return model.eval()

    def record_experts(self, **sources: ExpertSource) -> None:
        """Record in the configuration where the experts come from, for a model not made by `from_experts`.

        Args:
            sources: by expert, a Hub id, a folder or a model object: `record_experts(space="openai/clip-vit-...")`.

        Raises `ValueError` unless the weights are exactly the model's, and for an expert that the model does not have.
        """
        if unknown := sources.keys() - set(self.config.experts):
            raise ValueError(f"this model has no expert {', '.join(unknown)}; it has {', '.join(self.config.experts)}")
        recorded = dict(self.config.expert_sources or {})
        for expert, source in sources.items():
            read = read_expert(expert, source)
            if different := self.differing(self.own_weights(expert, self.state_dict()), published_weights(read)):
                raise ValueError(f"the {expert} expert is not {read.source or 'the model given'}: {different}")
            recorded[expert] = record_of(read)
        self.config.expert_sources = recorded

    def merge_experts(self) -> Self:
        """Save all weights from now on (the default)."""
        self.config.adapters_only = False
        return self

    def check_experts(self, state_dict: Mapping[str, Tensor] | None = None) -> None:
        """Raise `ValueError` unless each expert is recorded and unchanged, as `adapters_only` requires.

        A model in another precision than float32 is compared with the experts themselves, which are read for it.
        `state_dict` defaults to the model's; experts that have no tensors in it are skipped.
        """
        state_dict = self.state_dict() if state_dict is None else state_dict
        sources = self.config.expert_sources or {}
        if unrecorded := [expert for expert in self.config.experts if expert not in sources]:
            call = ", ".join(f"{expert}=..." for expert in unrecorded)
            raise ValueError(
                "to save without the experts' weights, the model must know their sources: call "
                f"record_experts({call}) "
                "with Hub ids or folders, or save all weights with adapters_only=False"
            )
        for expert, recorded in sources.items():
            own = self.own_weights(expert, state_dict)
            if not own or content_hash(own) == recorded["sha256"]:
                continue
            different = "its weights have another sha256"
            if recorded["source"] and any(tensor.dtype != torch.float32 for tensor in own.values()):
                different = self.differing(own, fetch_expert(expert, recorded))
            if different:
                raise ValueError(
                    f"the {expert} expert has changed since it came from {recorded['source'] or 'a model object'} "
                    f"({different}): save all weights with adapters_only=False"
                )

    def own_weights(self, expert: str, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """An expert's published weights as they are in this model, under the base model's names."""
        prefix = f"{self.base_model_prefix}."
        return {
            name.removeprefix(prefix): load_offloaded_parameter(self, name) if tensor.is_meta else tensor
            for name, tensor in state_dict.items()
            if published(name) == expert
        }

    @staticmethod
    def differing(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> str:
        """How tensors differ from others in the same precision, in words; empty if they are equal."""
        different = [
            name
            for name in sorted(own.keys() | theirs.keys())
            if name not in own
            or name not in theirs
            or not torch.equal(own[name].cpu(), theirs[name].to(own[name].dtype))
        ]
        return f"{len(different)} of {len(own)} tensors differ, {different[0]} for one" if different else ""

    def save_pretrained(
        self,
        save_directory,
        save_original_format: bool = False,
        adapters_only: bool | None = None,
        **options: Any,
    ):
        """As in transformers.

        Args:
            adapters_only: leave out the experts' published weights; `from_pretrained` then fetches them. Default:
                `config.adapters_only`, which Trainer's checkpoints and uploads go by.

        Raises `ValueError`, before anything is written, if the experts could not be fetched as they are now.
        """
        before = self.config.adapters_only
        self.config.adapters_only = before if adapters_only is None else adapters_only
        try:
            # peft saves its adapters without the model
            if self.config.adapters_only and not getattr(self, "_hf_peft_config_loaded", False):
                if options.get("distributed_checkpoint"):
                    raise ValueError("distributed_checkpoint=True writes all weights: pass adapters_only=False")
                if options.get("is_main_process", True):
                    state_dict = options.get("state_dict")
                    options["state_dict"] = dict(self.state_dict() if state_dict is None else state_dict)
                    self.check_experts(options["state_dict"])
            super().save_pretrained(save_directory, save_original_format=save_original_format, **options)
        finally:
            self.config.adapters_only = before

    @property
    def _keys_to_ignore_on_save(self) -> set[str]:
        """What transformers leaves out of saved weights, and Trainer does not miss when it loads them."""
        return {name for name in self.state_dict() if published(name)} if self.config.adapters_only else set()

    @_keys_to_ignore_on_save.setter
    def _keys_to_ignore_on_save(self, names: set[str]) -> None:
        """transformers collects them once; here the configuration decides at any time."""

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path,
        *model_args: Any,
        experts: Mapping[str, ExpertSource] | None = None,
        output_loading_info: bool = False,
        **options: Any,
    ):
        """As in transformers.

        Args:
            experts: for a folder without the experts' weights, sources to use instead of the configuration's, by
                expert: a folder, a Hub id or a model object.

        Raises `ValueError` or `OSError`, naming the expert, if one is missing or has changed.
        """
        token = GIVEN.set(experts)
        try:
            model, info = super().from_pretrained(
                pretrained_model_name_or_path, *model_args, output_loading_info=True, **options
            )
        finally:
            GIVEN.reset(token)
        # a later transformers may no longer call the next method; experts would be random then
        if lost := [name for name in info["missing_keys"] if published(name) in (model.config.expert_sources or {})]:
            raise ValueError(f"no checkpoint has values for {', '.join(sorted(lost))}")
        return (model, info) if output_loading_info else model

    @staticmethod
    def _load_pretrained_model(model, state_dict, checkpoint_files, load_config, expected_keys=None):
        """Transformers reads weights here; this adds the weights of experts that the folder leaves out."""
        config, given = model.config, GIVEN.get() or {}
        sources = config.expert_sources or {}
        if expected_keys is not None or not (sources or config.adapters_only or given):  # the former is peft's call
            return PreTrainedModel._load_pretrained_model(
                model, state_dict, checkpoint_files, load_config, expected_keys
            )
        names = set(state_dict or ())
        for file in checkpoint_files or ():
            names |= load_state_dict(file, map_location="meta").keys()
        present = {published(name) for name in names}
        absent = [expert for expert in (config.experts if config.adapters_only else sources) if expert not in present]
        if needless := [expert for expert in given if expert not in absent]:
            raise ValueError(
                f"experts={{{needless[0]!r}: ...}} is not needed: the folder has the weights of that expert"
            )
        if not absent:
            return PreTrainedModel._load_pretrained_model(model, state_dict, checkpoint_files, load_config)
        weights = dict(state_dict or {})
        for file in checkpoint_files or ():
            weights |= load_state_dict(file, weights_only=load_config.weights_only)
        prefix = "" if model is model.base_model else f"{model.base_model_prefix}."
        hub = {name: value for name, value in (load_config.download_kwargs or {}).items() if name in HUB_OPTIONS}
        for expert in absent:
            fetched = fetch_expert(expert, sources.get(expert), given.get(expert), **hub)
            weights |= {f"{prefix}{name}": tensor for name, tensor in fetched.items()}
        return PreTrainedModel._load_pretrained_model(model, weights, None, load_config)


__all__ = ["ModelOfExperts", "content_hash", "fetch_expert"]
