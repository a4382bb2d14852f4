"""`import holovid` imports nothing that takes time, and the Auto classes know ours in whatever order imports come."""

import json
import multiprocessing
import pickle
import subprocess
import sys

import pytest
import tiny_ca2st
import tiny_xvit
import torch
import transformers
from clips import write_clip
from places import SUPPORT
from torch.utils.data import DataLoader
from transformers import AutoModel, AutoModelForVideoClassification

import holovid
from holovid import CA2STConfig, HolovidProcessor, HolovidVideoProcessor, XViTConfig

HEAVY = ("torch", "torchvision", "transformers", "av", "datasets", "matplotlib", "numpy", "timm")
XVIT, CA2ST = "holovid.modeling.modeling_xvit", "holovid.modeling.modeling_ca2st"
PROCESSING = "holovid.processing"
FOUND = {
    "for_model": "holovid.configuration.configuration_xvit.XViTConfig",
    "AutoFeatureExtractor, hearing": f"{PROCESSING}.feature_extraction_holovid.HolovidFeatureExtractor",
    "AutoConfig, seeing": "holovid.configuration.configuration_xvit.XViTConfig",
    "AutoModel, seeing": f"{XVIT}.XViTModel",
    "AutoModel.from_config, seeing": f"{XVIT}.XViTModel",
    "AutoModelForVideoClassification, seeing": f"{XVIT}.XViTForVideoClassification",
    "AutoModelForVideoClassification.from_config, seeing": f"{XVIT}.XViTForVideoClassification",
    "AutoVideoProcessor, seeing": f"{PROCESSING}.video_processing_holovid.HolovidVideoProcessor",
    "AutoProcessor, seeing": f"{PROCESSING}.video_processing_holovid.HolovidVideoProcessor",
    "pipeline, seeing": f"{XVIT}.XViTForVideoClassification",
    "AutoConfig, hearing": "holovid.configuration.configuration_ca2st.CA2STConfig",
    "AutoModel, hearing": f"{CA2ST}.CA2STModel",
    "AutoModel.from_config, hearing": f"{CA2ST}.CA2STModel",
    "AutoModelForVideoClassification, hearing": f"{CA2ST}.CA2STForVideoClassification",
    "AutoModelForVideoClassification.from_config, hearing": f"{CA2ST}.CA2STForVideoClassification",
    "AutoVideoProcessor, hearing": f"{PROCESSING}.video_processing_holovid.HolovidVideoProcessor",
    "AutoProcessor, hearing": f"{PROCESSING}.processing_holovid.HolovidProcessor",
    "pipeline, hearing": f"{CA2ST}.CA2STForVideoClassification",
}
EVERY_AUTO_CLASS = (
    "from transformers import AutoConfig, AutoModel, AutoModelForVideoClassification, AutoProcessor, "
    "AutoVideoProcessor, AutoFeatureExtractor"
)


def in_fresh_process(script: str, *options: str) -> str:
    done = subprocess.run([sys.executable, *options, "-c", script], capture_output=True, text=True, cwd=SUPPORT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import holovid", HEAVY),
        ("import holovid.cli", HEAVY[:-2]),
        pytest.param(
            "from holovid import XViTConfig, CA2STConfig",
            ("torchvision", "av", "datasets", "matplotlib", "timm", "transformers.modeling_utils"),
            marks=(pytest.mark.slow, pytest.mark.integration),
        ),
    ],
)
def test_what_is_not_imported(statement, absent):
    imported = in_fresh_process(f"{statement}\nimport sys\nprint(*sys.modules)").split()
    assert not set(absent) & set(imported)


def test_public_names():
    assert set(holovid.__all__) <= set(dir(holovid)) and len(holovid.__all__) > 10
    for name in holovid.__all__:
        assert getattr(holovid, name).__name__ == name
    stars: dict = {}
    exec("from holovid import *", stars)
    assert set(holovid.__all__) <= stars.keys()
    with pytest.raises(AttributeError, match="XViTForNothing"):
        _ = holovid.XViTForNothing
    with pytest.raises(ImportError, match="XViTForNothing"):
        exec("from holovid import XViTForNothing")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    models = {"seeing": tiny_xvit.tiny(), "hearing": tiny_ca2st.tiny(experts=["space", "time", "audio"])}
    for kind, model in models.items():
        model.save_pretrained(folder / kind)
        processor = HolovidProcessor.for_model(model.config)
        (processor if kind == "hearing" else processor.video_processor).save_pretrained(folder / kind)
    return [str(folder / kind) for kind in models]


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    {
        "ours first": ["import holovid", EVERY_AUTO_CLASS],
        "theirs first": [EVERY_AUTO_CLASS, "import holovid"],
        # which imports the registry of models half-way through
        "our model first": ["from holovid.modeling.modeling_ca2st import CA2STModel"],
        # Importing transformers itself fails in several threads at once, so it is there already.
        "threads": [
            f"{EVERY_AUTO_CLASS}, pipeline",
            "threads",
            "import holovid",
            "import holovid.data.dataset",
            "from holovid import XViTModel, HolovidProcessor, CA2STModel",
            "from holovid import HolovidProcessor, CA2STModel, XViTModel",
            "import holovid, transformers; transformers.AutoConfig.for_model('xvit')",
            "import holovid, transformers; transformers.MODEL_MAPPING[holovid.CA2STConfig]",
        ],
    }.items(),
    ids=lambda item: item[0],
)
def test_auto_classes_find_ours(imports, folders):
    command = [sys.executable, SUPPORT / "fresh_imports.py", json.dumps(imports[1]), *folders]
    done = subprocess.run(command, capture_output=True, text=True, cwd=SUPPORT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == FOUND


def test_users_class_takes_the_place_of_ours(monkeypatch):
    class Mine(tiny_xvit.XViTForVideoClassification):
        pass

    registry = AutoModelForVideoClassification._model_mapping
    monkeypatch.setattr(registry, "_extra_content", dict(registry._extra_content))
    AutoModelForVideoClassification.register(XViTConfig, Mine, exist_ok=True)
    assert type(AutoModelForVideoClassification.from_config(tiny_xvit.tiny_config())) is Mine
    assert type(AutoModel.from_config(tiny_xvit.tiny_config())) is holovid.XViTModel


@pytest.mark.slow
def test_names_of_transformers_are_left_alone():
    """None of our names and families is one of transformers', whose own entry would be replaced."""
    known = in_fresh_process(
        "from transformers import CONFIG_MAPPING, MODEL_MAPPING\nimport transformers\n"
        "print(*CONFIG_MAPPING, *MODEL_MAPPING._reverse_config_mapping, *dir(transformers))"
    ).split()
    families = {CA2STConfig.model_type, XViTConfig.model_type}
    ours = set(holovid.__all__) - {
        "VideoClassificationPipeline"
    }  # which takes the place of theirs where it is asked for
    assert not (families | ours) & set(known)


@pytest.mark.slow
def test_clips_in_spawned_workers(tmp_path):
    """They get everything by pickle, in processes that have imported nothing."""
    paths = [str(write_clip(tmp_path / f"{number}.mp4", seed=number)) for number in range(4)]
    processor = HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=4)
    for one in (processor, tiny_xvit.tiny_config(), tiny_ca2st.tiny_config()):
        assert type(pickle.loads(pickle.dumps(one))) is type(one)
    dataset = Clips(paths, processor)
    context = multiprocessing.get_context("spawn")
    loader = DataLoader(dataset, batch_size=2, num_workers=1, multiprocessing_context=context)
    batches = torch.cat(list(loader))
    assert torch.equal(batches, torch.stack([dataset[index] for index in range(4)]))
    assert transformers.AutoModel._model_mapping[XViTConfig] is holovid.XViTModel


class Clips(torch.utils.data.Dataset):
    def __init__(self, paths, processor):
        self.paths, self.processor = paths, processor

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.processor(self.paths[index], return_tensors="pt")["pixel_values_videos"][0]
