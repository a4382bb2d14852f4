"""Indices of weights: which files they name, or a sentence."""

import json

import pytest

from holovid.modeling.weight_files import shard_names

NAMED = {"b": "model-2.safetensors", "a": "model-1.safetensors", "c": "model-2.safetensors"}


def write_index(folder, content) -> str:
    path = folder / "model.safetensors.index.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_files_that_an_index_names(tmp_path):
    index = write_index(tmp_path, {"metadata": {}, "weight_map": NAMED})
    assert shard_names(index) == ["model-1.safetensors", "model-2.safetensors"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is damaged: it is not JSON"),
        ("[" * 100_000, "is damaged: it is not JSON"),
        ([NAMED], "has no weight_map"),
        ({"metadata": {}}, "has no weight_map"),
        ({"metadata": {}, "weight_map": {}}, "has no weight_map"),
        ({"metadata": {}, "weight_map": ["model.safetensors"]}, "has no weight_map"),
        ({"metadata": {}, "weight_map": NAMED | {"d": 3}}, "has no weight_map"),
        ({"weight_map": NAMED}, "has no metadata"),
        ({"metadata": [], "weight_map": NAMED}, "has no metadata"),
        ({"metadata": {}, "weight_map": NAMED | {"d": "../model.safetensors"}}, r"names '\.\./model\.safetensors'"),
        ({"metadata": {}, "weight_map": NAMED | {"d": "/etc/model.safetensors"}}, "names '/etc/model.safetensors'"),
    ],
)
def test_what_is_no_index(tmp_path, content, message):
    index = write_index(tmp_path, content)
    with pytest.raises(ValueError, match=message) as raised:
        shard_names(index)
    assert str(raised.value).startswith(index)
