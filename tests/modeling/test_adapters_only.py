"""Checkpoints without the experts: what is loaded from them is the same model, or an error that names the expert."""

import json
import logging
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from clips import write_clip
from hub_server import HubServer, Repository
from huggingface_hub.errors import StrictDataclassError
from packaging.version import Version
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from strangers import computed_here, report_without_holovid
from tiny_ca2st import CA2ST, CAST, CAVA, clips, tiny, tiny_ast, tiny_clip, tiny_videomae
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForVideoClassification,
    CLIPVisionModel,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
)
from transformers.integrations.peft import MIN_PEFT_VERSION
from travelling_files import CA2ST_SOURCE

from holovid import CA2STConfig, CA2STForActionRecognition, CA2STForVideoClassification, CA2STModel
from holovid.modeling.adapters_ca2st import content_hash
from holovid.training.trainer import VideoTrainer

MAKERS = {"space": tiny_clip, "time": tiny_videomae, "audio": tiny_ast}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, str]:
    """Experts in folders, by name."""
    torch.manual_seed(0)
    work = tmp_path_factory.mktemp("experts")
    for expert, make in MAKERS.items():
        make().save_pretrained(work / expert)
    return {expert: str(work / expert) for expert in MAKERS}


def trained(model: PreTrainedModel) -> PreTrainedModel:
    """As training would leave it: all that joins the experts has other numbers."""
    model.freeze_experts()
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def made(folders: dict[str, str], experts=CAST, model_class=CA2STForVideoClassification, **settings):
    settings = {"num_frames": 8, "audio_frames": 40, "num_labels": 5, "num_verbs": 6, "num_nouns": 7} | settings
    return trained(model_class.from_experts(**{expert: folders[expert] for expert in experts}, **settings))


@pytest.fixture(scope="module")
def cast(folders, tmp_path_factory) -> Path:
    """A CAST, "full" and as "adapters"."""
    work = tmp_path_factory.mktemp("cast")
    torch.manual_seed(0)
    model = made(folders)
    model.save_pretrained(work / "full")
    model.save_pretrained(work / "adapters", adapters_only=True)
    return work


@torch.no_grad()
def outputs(model: PreTrainedModel) -> list[torch.Tensor]:
    torch.manual_seed(1)
    batch = {name: values.to(model.dtype) if values.is_floating_point() else values
             for name, values in clips(model.config).items()}  # fmt: skip
    return [tensor for tensor in model(**batch).values() if isinstance(tensor, torch.Tensor)]


def assert_same(one: PreTrainedModel, other: PreTrainedModel) -> None:
    """To the last bit, weights and what they compute."""
    assert one.dtype == other.dtype
    expected = other.state_dict()
    assert one.state_dict().keys() == expected.keys()
    assert not [name for name, tensor in one.state_dict().items() if not torch.equal(tensor, expected[name])]
    assert all(torch.equal(a, b) for a, b in zip(outputs(one), outputs(other), strict=True))


def test_files_do_not_decide_the_last_bit(tmp_path):
    """Weights that transformers maps to memory start at any multiple of four bytes, which products of matrices see."""
    model = tiny(experts=CA2ST)
    for name in ("a", "other"):
        model.save_pretrained(tmp_path / name)
        path = tmp_path / name / "model.safetensors"
        save_file(load_file(path), path, metadata={"format": "pt", "note": 4 * name})
        loaded = CA2STForVideoClassification.from_pretrained(tmp_path / name)
        assert not any(tensor.data_ptr() % 64 for tensor in loaded.state_dict().values())
        assert_same(loaded, model)


def changed(folder: str, copy: Path) -> str:
    """A copy of a VideoMAE with one other number."""
    shutil.copytree(folder, copy)
    tensors = load_file(copy / "model.safetensors")
    name = next(name for name in sorted(tensors) if name.endswith("dense.weight"))
    tensors[name].view(-1)[0] += 1e-6
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    return str(copy)


@pytest.mark.parametrize(
    ("experts", "model_class"),
    [
        (CAST, CA2STForVideoClassification),
        (CAVA, CA2STForVideoClassification),
        (CA2ST, CA2STForVideoClassification),
        (CA2ST, CA2STForActionRecognition),
        (CAVA, CA2STModel),
    ],
)
def test_the_same_model_as_from_all_weights(folders, experts, model_class, tmp_path):
    # other positions than the experts': they are resized for larger frames, cut for less sound
    model = made(folders, experts, model_class, image_size=32)
    model.save_pretrained(tmp_path / "full")
    model.save_pretrained(tmp_path / "adapters", adapters_only=True)
    assert not model.config.adapters_only
    loaded, info = model_class.from_pretrained(tmp_path / "adapters", output_loading_info=True)
    assert loaded.config.adapters_only and not any(info[kind] for kind in ("missing_keys", "unexpected_keys"))
    assert_same(loaded, model_class.from_pretrained(tmp_path / "full"))

    whole = load_file(tmp_path / "full" / "model.safetensors")
    kept = load_file(tmp_path / "adapters" / "model.safetensors")
    of_experts = {id(p) for module in model.expert_modules() for p in module.parameters()}
    for name, parameter in model.named_parameters():
        assert (name in kept) == (id(parameter) not in of_experts or "position_embeddings" in name), name
    assert whole.keys() == dict(model.named_parameters()).keys()
    assert {path.name for path in (tmp_path / "adapters").iterdir()} >= CA2ST_SOURCE


def test_adapters_of_cast_base_are_a_fifth():
    with torch.device("meta"):
        model = CA2STForVideoClassification(CA2STConfig.cast_base(num_labels=174, adapters_only=True))
    left_out = model._keys_to_ignore_on_save
    sizes = {name: tensor.numel() for name, tensor in model.state_dict().items()}
    kept = sum(size for name, size in sizes.items() if name not in left_out)
    assert (round(sum(sizes.values()) / 1e6), round(kept / 1e6)) == (217, 45)
    model.freeze_experts()
    tuned = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert 0 < kept - tuned == (1 + 196) * 768  # positions


def test_auto_classes_and_experts_from_elsewhere(folders, cast, tmp_path):
    full = AutoModelForVideoClassification.from_pretrained(cast / "full")
    space = CLIPVisionModel.from_pretrained(folders["space"])
    moved = shutil.copytree(folders["space"], tmp_path / "moved")
    for given in ({}, {"space": moved}, {"space": space, "time": folders["time"]}):
        model = AutoModelForVideoClassification.from_pretrained(cast / "adapters", experts=given)
        assert_same(model, full)
        assert model.config.experts == CAST and model.config.expert_sources == full.config.expert_sources
    assert_same(AutoModel.from_pretrained(cast / "adapters"), AutoModel.from_pretrained(cast / "full"))
    config = AutoConfig.from_pretrained(cast / "adapters")
    assert_same(CA2STForVideoClassification.from_pretrained(cast / "adapters", config=config), full)
    as_actions = CA2STForActionRecognition.from_pretrained(cast / "adapters")
    assert_same(as_actions.base_model, full.base_model)


def test_base_model_saved_into_a_head(folders, tmp_path):
    base = made(folders, model_class=CA2STModel)
    base.save_pretrained(tmp_path, adapters_only=True)
    assert_same(CA2STForVideoClassification.from_pretrained(tmp_path).base_model, base)


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": torch.bfloat16},
        {"dtype": "float16"},
        {"device_map": "cpu"},
        {"device_map": {"": "cpu"}, "dtype": torch.bfloat16},
        {"attn_implementation": "eager"},
        {"local_files_only": True, "use_safetensors": True},
        {"num_labels": 3, "ignore_mismatched_sizes": True},
    ],
    ids=str,
)
def test_options_of_loading(cast, options):
    torch.manual_seed(2)
    full = CA2STForVideoClassification.from_pretrained(cast / "full", **options)
    torch.manual_seed(2)
    loaded = CA2STForVideoClassification.from_pretrained(cast / "adapters", **options)
    assert_same(loaded, full)
    assert loaded.config._attn_implementation == full.config._attn_implementation


@pytest.mark.filterwarnings("ignore:Attempting to save a model with offloaded modules")
def test_offloaded_to_disk_and_saved_from_there(cast, tmp_path):
    parts = ("ca2st.embeddings", "ca2st.layers.0", "ca2st.layers.1", "ca2st.features", "readouts", "classifier")
    devices = {"ca2st.layers.2": "disk"} | dict.fromkeys(parts, "cpu")
    options = {"device_map": devices, "offload_folder": tmp_path / "offloaded"}
    model = CA2STForVideoClassification.from_pretrained(cast / "adapters", **options)
    full = CA2STForVideoClassification.from_pretrained(cast / "full")
    torch.testing.assert_close(outputs(model), outputs(full))  # accelerate maps files to memory, in its own way
    model.save_pretrained(tmp_path / "again")
    assert_same(CA2STForVideoClassification.from_pretrained(tmp_path / "again"), full)


def test_saved_in_lower_precision_and_in_shards(folders, tmp_path):
    model = made(folders).to(torch.bfloat16)
    model.save_pretrained(tmp_path / "full")
    model.save_pretrained(tmp_path / "adapters", adapters_only=True, max_shard_size="20KB", variant="half")
    assert len(list((tmp_path / "adapters").glob("*.safetensors"))) > 2
    loaded = CA2STForVideoClassification.from_pretrained(tmp_path / "adapters", variant="half")
    assert loaded.dtype == torch.bfloat16
    assert_same(loaded, CA2STForVideoClassification.from_pretrained(tmp_path / "full"))


def test_saved_again_and_merged(cast, tmp_path):
    model = CA2STForVideoClassification.from_pretrained(cast / "adapters")
    model.save_pretrained(tmp_path / "again")  # as it was: without the experts
    size = (cast / "adapters" / "model.safetensors").stat().st_size
    assert (tmp_path / "again" / "model.safetensors").stat().st_size == size
    model.save_pretrained(tmp_path / "once", adapters_only=False)
    assert model.config.adapters_only
    assert model.merge_experts() is model
    model.save_pretrained(tmp_path / "merged")
    full = CA2STForVideoClassification.from_pretrained(cast / "full")
    for folder in ("once", "merged"):
        sources = json.loads((tmp_path / folder / "config.json").read_text())["expert_sources"]
        assert sources == full.config.expert_sources
        for expert in sources.values():
            assert Path(expert["source"]).is_dir()
        merged = CA2STForVideoClassification.from_pretrained(tmp_path / folder)
        assert not merged.config.adapters_only
        assert_same(merged, full)


def test_hash_is_of_numbers_not_of_files(folders, tmp_path):
    space = CLIPVisionModel.from_pretrained(folders["space"])
    space.save_pretrained(tmp_path, max_shard_size="20KB")
    recorded = [
        CA2STModel.from_experts(source, folders["time"]).config.expert_sources["space"]
        for source in (space, folders["space"], tmp_path)
    ]
    assert [entry["source"] for entry in recorded] == [None, folders["space"], str(tmp_path)]
    assert len({entry["sha256"] for entry in recorded}) == 1
    one, other = torch.zeros(2, 3), torch.zeros(3, 2)
    hashes = {content_hash({"a": one}), content_hash({"a": other}), content_hash({"b": one}), content_hash({})}
    hashes |= {content_hash({"a": one.bfloat16()}), content_hash({"a": one.half()}), content_hash({"a": one + 1})}
    assert len(hashes) == 7
    assert content_hash({"a": one, "b": other}) == content_hash({"b": other, "a": one})
    assert (
        content_hash({"a": one}) == "51d8f9b4daf9384e85167e1ef19ebdde4a552c4b2ee883f903647c8bf1160bf5"
    )  # written down in configurations


def test_changed_experts_are_refused_by_name(folders, cast, tmp_path):
    other = changed(folders["time"], tmp_path / "other")
    with pytest.raises(
        ValueError, match=r"the time expert .*other is not the one .* sha256 \w{64}, the recorded one is \w{64}"
    ):
        CA2STForVideoClassification.from_pretrained(cast / "adapters", experts={"time": other})
    with pytest.raises(ValueError, match=r"the space expert .*time cannot be read: space must be a clip model"):
        CA2STForVideoClassification.from_pretrained(cast / "adapters", experts={"space": folders["time"]})
    rounded = CLIPVisionModel.from_pretrained(folders["space"], dtype=torch.bfloat16)
    with pytest.raises(ValueError, match="the space expert CLIPVisionModel is not the one"):
        CA2STForVideoClassification.from_pretrained(cast / "adapters", experts={"space": rounded})
    # the next model is loaded as if nothing had been
    assert CA2STForVideoClassification.from_pretrained(cast / "adapters").config.experts == CAST


@pytest.fixture
def recorded(cast, tmp_path):
    """A copy of the adapters, and a function that changes what it says about an expert."""
    folder = shutil.copytree(cast / "adapters", tmp_path / "recorded")

    def record(expert: str, **entry: str | None):
        config = json.loads((folder / "config.json").read_text())
        config["expert_sources"][expert] |= entry
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    return record


def test_missing_experts_are_named(folders, recorded, tmp_path):
    revision = "0123456789abcdef0123456789abcdef01234567"
    folder = recorded("space", source="nobody/clip", revision=revision)
    message = (
        rf"(?s)the space expert nobody/clip at revision {revision} cannot be read: .*experts=\{{'space': \.\.\.\}}"
    )
    with pytest.raises(OSError, match=message):
        CA2STForVideoClassification.from_pretrained(folder)
    CA2STForVideoClassification.from_pretrained(folder, experts={"space": folders["space"]})
    folder = recorded("space", source=None, revision=None)
    with pytest.raises(ValueError, match=r"the configuration has no source of it.*experts=\{'space': \.\.\.\}"):
        CA2STForVideoClassification.from_pretrained(folder)
    cut = shutil.copytree(folders["time"], tmp_path / "cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"the time expert .*cut cannot be read: .* is damaged"):
        CA2STForVideoClassification.from_pretrained(folder, experts={"space": folders["space"], "time": cut})


def test_a_missing_expert_without_a_record_is_named(cast, tmp_path):
    folder = shutil.copytree(cast / "adapters", tmp_path / "adapters")
    config = json.loads((folder / "config.json").read_text())
    del config["expert_sources"]["time"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="expert_sources in the configuration does not name the time expert"):
        CA2STForVideoClassification.from_pretrained(folder)


def test_experts_that_are_not_asked_for(folders, cast):
    with pytest.raises(ValueError, match=r"experts=\{'space': \.\.\.\} is not needed"):
        CA2STForVideoClassification.from_pretrained(cast / "full", experts={"space": folders["space"]})
    with pytest.raises(ValueError, match=r"experts=\{'audio': \.\.\.\}"):
        CA2STForVideoClassification.from_pretrained(cast / "adapters", experts={"audio": folders["audio"]})


def test_trained_experts_are_not_left_out(folders, tmp_path):
    model = made(folders)
    with torch.no_grad():
        model.ca2st.layers[1].mlps["time"].fc1.bias[0] += 1e-6
    for dtype in (torch.float32, torch.bfloat16):
        with torch.no_grad():
            model.to(dtype).ca2st.layers[1].mlps["time"].fc1.bias[0] += 1
        with pytest.raises(ValueError, match=r"the time expert has changed .*adapters_only=False"):
            model.save_pretrained(tmp_path / "adapters", adapters_only=True)
    assert not (tmp_path / "adapters").exists()
    model.save_pretrained(tmp_path / "full")
    assert_same(CA2STForVideoClassification.from_pretrained(tmp_path / "full"), model)


def test_experts_are_recorded_afterwards(folders, tmp_path):
    """As for converted checkpoints, which do not say where their experts come from."""
    model = made(folders)
    expected, model.config.expert_sources = model.config.expert_sources, None
    with pytest.raises(ValueError, match=r"call record_experts\(space=\.\.\., time=\.\.\.\)"):
        model.save_pretrained(tmp_path / "adapters", adapters_only=True)
    model.record_experts(space=folders["space"])
    with pytest.raises(ValueError, match=r"call record_experts\(time=\.\.\.\)"):
        model.save_pretrained(tmp_path / "adapters", adapters_only=True)
    other = changed(folders["time"], tmp_path / "other")
    with pytest.raises(
        ValueError, match=r"the time expert is not .*other: 1 of \d+ tensors differ, layers\.\d+\.\S+ for one"
    ):
        model.record_experts(time=other)
    with pytest.raises(ValueError, match="this model has no expert audio; it has space, time"):
        model.record_experts(audio=folders["audio"])
    assert not (tmp_path / "adapters").exists()
    model.to(torch.bfloat16).record_experts(time=folders["time"])
    assert model.config.expert_sources == expected
    model.save_pretrained(tmp_path / "adapters", adapters_only=True)
    assert_same(CA2STForVideoClassification.from_pretrained(tmp_path / "adapters"), model)


def test_experts_given_as_models(folders, tmp_path):
    """The configuration then has their hashes alone."""
    experts = {expert: MAKERS[expert]() for expert in CAST}
    model = trained(CA2STForVideoClassification.from_experts(**experts))
    model.save_pretrained(tmp_path, adapters_only=True)
    assert_same(CA2STForVideoClassification.from_pretrained(tmp_path, experts=experts), model)
    with pytest.raises(ValueError, match="the configuration has no source of it"):
        CA2STForVideoClassification.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="the space expert has changed since it came from a model object"):
        model.bfloat16().save_pretrained(tmp_path, adapters_only=True)
    weights = {name: tensor for name, tensor in model.state_dict().items() if "classifier" in name}
    model.save_pretrained(tmp_path / "part", state_dict=weights, adapters_only=True)
    assert load_file(tmp_path / "part" / "model.safetensors").keys() == weights.keys()


def test_models_without_records_are_saved_as_ever(tmp_path):
    model = tiny()
    model.save_pretrained(tmp_path)
    loaded = CA2STForVideoClassification.from_pretrained(tmp_path)
    assert loaded.config.expert_sources is None
    assert_same(loaded, model)
    with pytest.raises(ValueError, match="distributed_checkpoint=True writes all weights"):
        model.save_pretrained(tmp_path / "other", adapters_only=True, distributed_checkpoint=True)


def test_configuration(tmp_path):
    entry = {"source": "openai/clip-vit-base-patch16", "revision": None, "sha256": "0" * 64}
    config = CA2STConfig(expert_sources={"space": entry, "time": entry | {"source": None}}, adapters_only=True)
    config.save_pretrained(tmp_path)
    assert CA2STConfig.from_pretrained(tmp_path).to_dict() == config.to_dict()
    for wrong in ({"audio": entry}, {"space": {"source": "a"}}, {"space": entry | {"sha256": None}}, {"space": "a"}):
        with pytest.raises(StrictDataclassError, match="expert_sources"):
            CA2STConfig(expert_sources=wrong)
    with pytest.raises(StrictDataclassError, match="adapters_only"):
        CA2STConfig(adapters_only="yes")
    with pytest.raises(StrictDataclassError, match="experts"):
        CA2STConfig.from_pretrained(tmp_path, experts={"space": "a"})


@pytest.mark.skipif(
    Version(version("peft")) < Version(MIN_PEFT_VERSION),
    reason=f"transformers {version('transformers')} asks add_adapter for peft {MIN_PEFT_VERSION}: see constraints.in",
)
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_low_rank_adapters_on_top(cast, tmp_path):
    """peft's files name the folder that they were made from; the model in it fetches its experts as ever."""
    model = CA2STForVideoClassification.from_pretrained(cast / "adapters")
    model.add_adapter(LoraConfig(target_modules=["attention.q_proj"], init_lora_weights=False))
    model.save_pretrained(tmp_path)
    loaded = CA2STForVideoClassification.from_pretrained(tmp_path)
    assert loaded.config.adapters_only and len(loaded.state_dict()) > len(model._keys_to_ignore_on_save)
    assert_same(loaded, model.eval())


class Noise(torch.utils.data.Dataset):
    """Clips and labels that a seed decides."""

    def __init__(self, count: int):
        generator = torch.Generator().manual_seed(1)
        self.frames = torch.randn(count, 8, 3, 24, 24, generator=generator)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, key) -> dict[str, torch.Tensor]:
        index = key[1] if isinstance(key, tuple) else key
        return {"pixel_values_videos": self.frames[index], "labels": torch.tensor(index % 5)}


def run(folders: dict[str, str], output: Path, trainer_class=Trainer, **options):
    torch.manual_seed(0)
    model = made(folders, adapters_only=True, problem_type="single_label_classification")
    arguments = TrainingArguments(
        output, num_train_epochs=2, per_device_train_batch_size=4, learning_rate=0.1, eval_strategy="epoch",
        save_strategy="epoch", use_cpu=True, report_to="none", disable_tqdm=True, **options,
    )  # fmt: skip
    own = {"recipe": "small"} if trainer_class is VideoTrainer else {}
    return trainer_class(model, arguments, train_dataset=Noise(8), eval_dataset=Noise(4), **own)


@pytest.mark.parametrize("trainer_class", [Trainer, VideoTrainer])
def test_training_goes_on_from_adapters(folders, trainer_class, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    whole = run(folders, tmp_path / "whole", trainer_class)
    whole.train()
    first, last = tmp_path / "whole" / "checkpoint-2", tmp_path / "whole" / "checkpoint-4"
    for checkpoint in (first, last):
        kept = load_file(checkpoint / "model.safetensors")
        assert kept.keys() == whole.model.state_dict().keys() - whole.model._keys_to_ignore_on_save
    resumed = run(folders, tmp_path / "resumed", trainer_class)
    resumed.train(resume_from_checkpoint=str(first))
    assert resumed.state.global_step == 4
    assert_same(resumed.model, whole.model)
    assert_same(CA2STForVideoClassification.from_pretrained(last), whole.model.eval())

    best = run(folders, tmp_path / "best", trainer_class, load_best_model_at_end=True, greater_is_better=True,
               metric_for_best_model="eval_loss")  # fmt: skip
    best.train()
    assert best.state.best_model_checkpoint is not None
    assert_same(best.model, CA2STForVideoClassification.from_pretrained(best.state.best_model_checkpoint))
    assert "missing keys" not in caplog.text and "MISSING" not in caplog.text


def test_averaged_weights_leave_the_experts_as_they_were(folders, tmp_path):
    trainer = run(folders, tmp_path, VideoTrainer)
    trainer = VideoTrainer(
        trainer.model, trainer.args, recipe="small", ema_decay=0.7, train_dataset=Noise(8), eval_dataset=Noise(4)
    )
    trainer.train()
    trainer.save_model(str(tmp_path / "final"))
    assert_same(CA2STForVideoClassification.from_pretrained(tmp_path / "final"), trainer.model.eval())


MAKE = """
import sys, torch
from holovid import CA2STForVideoClassification, HolovidProcessor
torch.manual_seed(0)
model = CA2STForVideoClassification.from_experts("me/space", "me/time", "me/audio", audio_frames=40, num_labels=5)
for parameter in set(model.parameters()) - {p for module in model.expert_modules() for p in module.parameters()}:
    torch.nn.init.normal_(parameter, std=0.3)
for folder, adapters_only in zip(sys.argv[1:], (False, True)):
    model.save_pretrained(folder, adapters_only=adapters_only)
    HolovidProcessor.for_model(model.config).save_pretrained(folder)
"""


def files_of(folder: str | Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.mark.slow
def test_from_the_hub_without_holovid(folders, tmp_path):
    """Experts come from the commit they were taken from, though a repository has gone on; also offline."""
    full, adapters, clip = str(tmp_path / "full"), str(tmp_path / "adapters"), str(tmp_path / "clip.mp4")
    home, again = tmp_path / "home", tmp_path / "again"
    write_clip(clip)
    with HubServer() as hub:
        online = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_of_me", "HF_HUB_OFFLINE": "0"}
        commits = {}
        for expert, folder in folders.items():
            repository = hub.repositories[f"me/{expert}"] = Repository()
            commits[f"me/{expert}"] = repository.commit(files_of(folder))
        make = [sys.executable, "-c", MAKE, full, adapters]
        environment = (
            os.environ | online | {"HF_HOME": str(tmp_path / "with holovid"), "HF_HUB_DISABLE_TELEMETRY": "1"}
        )
        subprocess.run(make, env=environment, check=True, capture_output=True, timeout=300)
        sources = CA2STConfig.from_pretrained(adapters).expert_sources
        assert {entry["source"]: entry["revision"] for entry in sources.values()} == commits

        hub.repositories["me/time"].commit(files_of(changed(folders["time"], tmp_path / "other")))
        hub.repositories["me/model"] = model = Repository()
        model.commit(files_of(adapters))
        load = {"source": "me/model", "save_again": str(again)}
        reports = report_without_holovid(home, clip, [load], **online)
        assert hub.unknown_requests == []
    reports += report_without_holovid(home, clip, [{"source": "me/model"}], **online | {"HF_HUB_OFFLINE": "1"})
    for report in reports:
        assert report.pop("classes")[1:3] == ["CA2STModel", "CA2STForVideoClassification"]
        assert all(module.startswith("transformers_modules.") for module in report.pop("modules"))
        assert report == computed_here(full, clip)
    loaded = AutoModelForVideoClassification.from_pretrained(again, experts=folders)
    assert loaded.config.adapters_only
    assert_same(loaded, AutoModelForVideoClassification.from_pretrained(full))
