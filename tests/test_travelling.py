"""Saved folders load where holovid cannot be imported, and compute the same numbers; what they consist of.

From a Hub: tests/test_round_trip.py.
"""

import ast
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from clips import write_clip
from strangers import computed_here, report_without_holovid
from tiny_xvit import tiny, tiny_config
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForVideoClassification,
    AutoProcessor,
    AutoVideoProcessor,
    Trainer,
    TrainingArguments,
    ViTConfig,
)
from transformers.dynamic_module_utils import get_imports
from travelling_files import SOURCE_OF_FAMILY, VIDEO_PROCESSOR_SOURCE, XVIT_SOURCE

from holovid import HolovidVideoProcessor, XViTConfig, XViTForVideoClassification, XViTModel, saving, travelling
from holovid.families import families

MODEL_FILES = XVIT_SOURCE | {"config.json", "model.safetensors"}
PROCESSOR_FILES = VIDEO_PROCESSOR_SOURCE | {"video_preprocessor_config.json"}
AUTO_CLASSES = (AutoConfig, AutoModel, AutoModelForVideoClassification, AutoVideoProcessor, AutoProcessor)
CLASSES = [XViTConfig, XViTModel, XViTForVideoClassification, HolovidVideoProcessor, HolovidVideoProcessor]
AUTO_MAP = {
    "AutoConfig": "configuration_xvit.XViTConfig",
    "AutoModel": "modeling_xvit.XViTModel",
    "AutoModelForVideoClassification": "modeling_xvit.XViTForVideoClassification",
}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Folders: "saved" by the package, and "checkpoint-1" by Trainer; and a video, "clip.mp4"."""
    work = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    model = tiny(id2label={0: "left", 1: "right", 2: "up", 3: "down", 4: "still"})
    processor = HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6)
    model.save_pretrained(work / "saved")
    processor.save_pretrained(work / "saved")
    write_clip(work / "clip.mp4")
    trainer = Trainer(
        model,
        TrainingArguments(work, max_steps=1, save_steps=1, report_to="none", use_cpu=True, disable_tqdm=True),
        train_dataset=[{"pixel_values_videos": torch.zeros(6, 3, 16, 16), "labels": 0}] * 2,
        processing_class=processor,
    )
    trainer.train()
    return work


@pytest.mark.integration
@pytest.mark.slow
def test_what_is_saved_loads_without_holovid(work):
    """Two processes: one loads what was saved here and saves it again, the other loads that and a checkpoint."""
    clip = str(work / "clip.mp4")
    saved, again, checkpoint = (str(work / name) for name in ("saved", "saved_again", "checkpoint-1"))
    reports = report_without_holovid(work / "first", clip, [{"source": saved, "save_again": again}])
    reports += report_without_holovid(work / "second", clip, [{"source": again}, {"source": checkpoint}])

    for report, folder in zip(reports, (saved, saved, checkpoint), strict=True):
        assert report.pop("classes") == [cls.__name__ for cls in CLASSES]
        assert all(module.startswith("transformers_modules.") for module in report.pop("modules"))
        assert report == computed_here(folder, clip)
    assert names(Path(again)) == MODEL_FILES | PROCESSOR_FILES
    assert json.loads(Path(again, "config.json").read_text())["auto_map"] == AUTO_MAP


def test_saved_folder_has_the_model_the_processor_and_their_source(work):
    assert names(work / "saved") == MODEL_FILES | PROCESSOR_FILES
    assert names(work / "checkpoint-1") >= MODEL_FILES | PROCESSOR_FILES


def test_auto_maps(work):
    config = json.loads((work / "saved" / "config.json").read_text())
    assert config["auto_map"] == AUTO_MAP
    processor = json.loads((work / "saved" / "video_preprocessor_config.json").read_text())
    assert processor["auto_map"] == {"AutoVideoProcessor": "video_processing_holovid.HolovidVideoProcessor"}


def test_each_part_brings_only_its_own_source(tmp_path):
    tiny_config().save_pretrained(tmp_path / "config")
    assert names(tmp_path / "config") == XVIT_SOURCE | {"config.json"}
    XViTModel(tiny_config()).save_pretrained(tmp_path / "base model")
    assert names(tmp_path / "base model") == MODEL_FILES
    assert json.loads((tmp_path / "base model" / "config.json").read_text())["auto_map"] == AUTO_MAP
    HolovidVideoProcessor().save_pretrained(tmp_path / "processor")
    assert names(tmp_path / "processor") == PROCESSOR_FILES


def test_a_model_of_any_family_brings_only_its_own_source():
    travelling_now = {name: set(travelling.source_files(family.config_class)) for name, family in families().items()}
    assert travelling_now == SOURCE_OF_FAMILY


def test_processor_completes_a_folder_that_has_only_the_configuration(work, tmp_path):
    """Trainer makes such folders to upload them; source that is there may belong to another release, and stays."""
    shutil.copy(work / "saved" / "config.json", tmp_path)
    (tmp_path / "modeling_common.py").write_text("of another release")
    HolovidVideoProcessor().save_pretrained(tmp_path)
    assert names(tmp_path) == XVIT_SOURCE | PROCESSOR_FILES | {"config.json"}
    assert (tmp_path / "modeling_common.py").read_text() == "of another release"
    (tmp_path / "of another model").mkdir()
    ViTConfig().save_pretrained(tmp_path / "of another model")
    HolovidVideoProcessor().save_pretrained(tmp_path / "of another model")
    assert names(tmp_path / "of another model") == PROCESSOR_FILES | {"config.json"}


def test_installed_package_needs_no_permission_and_uses_its_own_classes(work, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *prompt: pytest.fail("asked for permission to run code"))
    assert [type(auto_class.from_pretrained(work / "saved")) for auto_class in AUTO_CLASSES] == CLASSES
    trusted = AutoModelForVideoClassification.from_pretrained(work / "saved", trust_remote_code=True)
    assert type(trusted) is XViTForVideoClassification


def test_saved_source_imports_only_what_every_user_has(work):
    # Pillow comes with torchvision, safetensors with transformers.
    allowed = {"huggingface_hub", "numpy", "PIL", "safetensors", "torch", "torchvision", "transformers"}
    for path in (work / "saved").glob("*.py"):
        assert set(get_imports(path)) - sys.stdlib_module_names <= allowed
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not [module for module in modules if module.partition(".")[0] == "holovid"], path.name


def test_other_processes_write_nothing(tmp_path):
    tiny().save_pretrained(tmp_path / "model", is_main_process=False)
    assert names(tmp_path / "model") == set()


def test_saving_options_keep_working(tmp_path):
    model = tiny()
    state = {name: torch.ones_like(tensor) for name, tensor in model.state_dict().items()}
    model.save_pretrained(tmp_path, state_dict=state, max_shard_size="40KB", variant="ones")
    weights = {name for name in names(tmp_path) if "safetensors" in name}
    assert names(tmp_path) == XVIT_SOURCE | {"config.json"} | weights
    assert "model.safetensors.index.ones.json" in weights and len(weights) > 2
    loaded = XViTForVideoClassification.from_pretrained(tmp_path, variant="ones")
    assert all((tensor == 1).all() for tensor in loaded.state_dict().values())


def test_a_file_in_the_way_is_refused_as_transformers_does(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AssertionError, match="should be a directory"):
        tiny_config().save_pretrained(tmp_path / "file")
    assert names(tmp_path) == {"file"}


def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    (tmp_path / "modeling_xvit.py").write_text("old")
    (tmp_path / "config.json").write_text("{}")

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(saving.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        saving.write_source(tiny_config(), tmp_path)
    assert names(tmp_path) == {"modeling_xvit.py", "config.json"}
    assert (tmp_path / "modeling_xvit.py").read_text() == "old"


def test_new_heads_are_listed_and_replaced_ones_are_not(monkeypatch):
    """The registries of transformers decide, so that a new head or family needs no change in travelling.py."""

    class Theirs(XViTForVideoClassification):
        pass

    assert travelling.named_classes(XViTConfig) == {
        "AutoConfig": XViTConfig,
        "AutoModel": XViTModel,
        "AutoModelForVideoClassification": XViTForVideoClassification,
    }
    from transformers import AutoModelForImageClassification

    registered = AutoModelForImageClassification._model_mapping._extra_content
    monkeypatch.setitem(registered, XViTConfig, XViTForVideoClassification)
    assert travelling.named_classes(XViTConfig)["AutoModelForImageClassification"] is XViTForVideoClassification
    monkeypatch.setitem(registered, XViTConfig, Theirs)
    assert "AutoModelForImageClassification" not in travelling.named_classes(XViTConfig)


def test_class_that_a_user_registers_keeps_its_place(tmp_path, monkeypatch):
    """`register_for_auto_class` makes transformers copy the user's file; ours come beside it."""
    (tmp_path / "my_model.py").write_text(
        "from holovid import XViTForVideoClassification\n\n\nclass MyModel(XViTForVideoClassification):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from my_model import MyModel

    MyModel.register_for_auto_class("AutoModelForVideoClassification")
    model = MyModel(tiny_config())
    model.save_pretrained(tmp_path / "saved")
    assert names(tmp_path / "saved") == MODEL_FILES | {"my_model.py"}
    assert model.config.auto_map == AUTO_MAP | {"AutoModelForVideoClassification": "my_model.MyModel"}
    # Elsewhere, saved as one of ours, the entry would name a file that is not there.
    XViTForVideoClassification(model.config).save_pretrained(tmp_path / "ours")
    assert model.config.auto_map == AUTO_MAP


@pytest.mark.parametrize(
    ("source", "flat"),
    [
        ("from holovid.configuration.xvit import XViTConfig\n", "from .xvit import XViTConfig\n"),
        ("from holovid.modeling.common import (\n    a,\n    b,\n)\n", "from .common import (\n    a,\n    b,\n)\n"),
        ("def f():\n    from holovid.modeling.common import a as b\n", "def f():\n    from .common import a as b\n"),
        ("x = '''\nfrom holovid.modeling.common import a'''\n", "x = '''\nfrom holovid.modeling.common import a'''\n"),
        ("from holovideo.modeling.common import a\n", "from holovideo.modeling.common import a\n"),
    ],
    ids=["one line", "several lines", "in a function", "in a text", "another package"],
)  # fmt: skip
def test_flatten(source, flat):
    assert travelling.flatten(source, "holovid.modeling.example") == flat


@pytest.mark.parametrize(
    "source",
    [
        "import holovid",
        "import holovid.modeling.modeling_xvit",
        "from holovid import XViTConfig",
        "from holovid.travelling import bundle",
        "from holovid.modeling import modeling_xvit",
        "from .modeling_xvit import XViTModel",
        "from . import modeling_xvit",
    ],
)
def test_imports_that_could_not_travel_are_refused(source):
    with pytest.raises(ValueError, match=r"holovid\.modeling\.example, line 2: import of"):
        travelling.flatten(f"import torch\n{source}\n", "holovid.modeling.example")


def test_two_files_of_one_name_are_refused(monkeypatch):
    sources = {
        "holovid.modeling.common": "from holovid.processing.common import a\n",
        "holovid.processing.common": "",
    }
    monkeypatch.setattr(travelling, "_source_of", sources.__getitem__)
    with pytest.raises(ValueError, match=r"would both be saved as common\.py"):
        travelling.bundle({"holovid.modeling.common"})


def test_modules_that_import_each_other_are_bundled_once(monkeypatch):
    sources = {
        "holovid.modeling.a": "from holovid.modeling.b import b\n",
        "holovid.modeling.b": "def f():\n    from holovid.modeling.a import a\n",
    }
    monkeypatch.setattr(travelling, "_source_of", sources.__getitem__)
    assert travelling.bundle({"holovid.modeling.a"}) == {
        "a.py": "from .b import b\n",
        "b.py": "def f():\n    from .a import a\n",
    }
