"""A record says all that differs between families; nothing else in holovid names one."""

import ast
import inspect
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from places import ROOT
from transformers import AutoConfig, AutoModel, AutoModelForVideoClassification

import holovid
from holovid import CA2STConfig, XViTConfig
from holovid.families import Family, Variant, families, family, family_of, variant_of, variants
from holovid.modeling.tasks import tasks_of
from holovid.recipes import get_recipe, recipes

# what may name a family: its record, its converter, and the list of public names
OF_FAMILIES = ("families", "conversion")


def test_records_are_whole():
    for record in families().values():
        config = record.config_class()
        assert config.model_type == record.model_type and isinstance(
            config, AutoConfig.for_model(record.model_type).__class__
        )
        assert {f"{record.config_name}", *record.model_names} <= set(holovid.__all__)
        for variant in record.variants:
            assert variant.title and variant.about and variant.papers
            assert bool(variant.parity) == bool(variant.converter)  # there is nothing else to compare with
            assert variant_of(record.config_class(**variant.settings)) is variant
            if variant.converter is None:
                continue
            options = list(inspect.signature(family.named(variant.converter)).parameters)
            assert options[0] == "state_dict" and {"image_size", "num_frames"} <= set(options)
            (task,) = tasks_of(AutoModelForVideoClassification._model_mapping[type(config)], config)
            assert ("id2label" in options) is task.has_fields
        record.config_class(**record.toy)
        for recipe in record.recipes:
            assert get_recipe(recipe.name) is recipe and recipe.family == record.model_type
            recipe.check_model(config)
        for method in record.starts_from.values():
            assert callable(getattr(AutoModelForVideoClassification._model_mapping[type(config)], method))
        assert record.stream is None or callable(family.named(record.stream))
        assert AutoModel._model_mapping[type(config)].__name__ in record.model_names


def test_what_a_configuration_is_called():
    assert variant_of(XViTConfig()).title == "XViT"
    titles = {("space", "time"): "CAST", ("space", "audio"): "CAVA", ("space", "time", "audio"): "CA²ST"}
    for experts, title in titles.items():
        assert variant_of(CA2STConfig(experts=list(experts))).title == title
    with pytest.raises(ValueError, match=r"clip.*is a vit model; holovid's are"):
        family_of(AutoConfig.for_model("vit"), "clip")


def test_names_are_known_before_torch_is_imported():
    script = """
import sys
from holovid.families import families, variants
from holovid.recipes import recipes
print(len(variants()), len(recipes()), sorted({"torch", "transformers"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{len(variants())} {len(recipes())} []\n"


def code_of(path) -> str:
    """Source without its comments and docstrings."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            node.body[0] = ast.Pass()
    return ast.unparse(tree)


def test_no_other_file_names_a_family():
    """By model types, and by the names of the classes of models and configurations."""
    words = {
        name for record in families().values() for name in (record.model_type, record.config_name, *record.model_names)
    }
    source = ROOT / "src" / "holovid"
    codes = {
        str(path.relative_to(source)): code_of(path)
        for path in source.rglob("*.py")
        if path.relative_to(source).parts[0] not in OF_FAMILIES
    }
    found = {path: sorted(word for word in words if word in code) for path, code in codes.items()}
    assert not {path: names for path, names in found.items() if names}


def with_entry(monkeypatch, record) -> None:
    monkeypatch.setattr(sys.modules[__name__], "RECORD", record, raising=False)
    point = EntryPoint("other", f"{__name__}:RECORD", family.GROUP)
    monkeypatch.setattr(family, "entry_points", lambda group: [point] if group == family.GROUP else [])
    monkeypatch.setattr(family, "families", families.__wrapped__)


def test_records_of_other_packages_are_checked(monkeypatch):
    other = Family("other", (Variant("other", "Other", "a model of others"),), package="other")
    with_entry(monkeypatch, other)
    assert list(family.families())[-1] == "other"
    with_entry(monkeypatch, Family("other", (Variant("cast", "Other", "has the name of another"),)))
    with pytest.raises(ValueError, match="or one of its variants has the name of another variant"):
        family.families()
    with_entry(monkeypatch, {"other": 1})
    with pytest.raises(ValueError, match="is a dict, not a Family"):
        family.families()
    monkeypatch.delattr(sys.modules[__name__], "RECORD")
    with pytest.raises(ValueError, match=r"the family other of .*RECORD does not load"):
        family.families()


@pytest.mark.parametrize(
    ("stub", "message"),
    [
        (None, r"listless has no __init__\.pyi, which lists the classes of its family"),
        (
            "from .modeling_other import OtherModel as OtherModel\n",
            "must list a ...Config class from configuration_other",
        ),
    ],
)
def test_a_package_that_does_not_list_its_classes(tmp_path, monkeypatch, stub, message):
    package = tmp_path / "listless"
    package.mkdir()
    (package / "__init__.py").touch()
    if stub is not None:
        (package / "__init__.pyi").write_text(stub)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(family, "public_names", family.public_names.__wrapped__)
    other = Family("other", (Variant("other", "Other", "a model of others"),), package="listless")
    with pytest.raises(ValueError, match=message):
        _ = other.config_name
