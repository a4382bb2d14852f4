"""What must not be published is found with its file and line, and what merely looks like it is not."""

import getpass
import json

import pytest

from holovid.publishing.leaks import find_leaks, forget_places

PRETEND = "A1b2C3d4E5f6G7h8I9j0"  # letters and digits of nobody's secret


def found(tmp_path, name: str, text: str) -> list[str]:
    (tmp_path / name).write_text(text)
    return find_leaks(tmp_path, "anna/model")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f"login('hf_{PRETEND}')", "a token of Hugging Face"),
        ("AKIA" + "ABCDEFGH" * 2, "a key of AWS"),
        ("-----BEGIN " + "RSA PRIVATE KEY-----", "a private key"),
        (f"ghp_{PRETEND * 2}", "a token of GitHub"),
        (f"sk-{PRETEND}", "a key of an API"),
        ("https://anna:" + "sesame@example.com/clips", "a password in an address"),
        (f"eyJ{PRETEND}.{PRETEND}.x", "a web token"),
        ('"api_key": "' + PRETEND + '"', "a secret"),
        ("password = '" + "opensesame'", "a secret"),
        (f"https://example.com/clips?token={PRETEND}", "a secret"),
    ],
)
@pytest.mark.parametrize("name", ["config.json", "README.md", "my_model.py"])
def test_secrets(tmp_path, name, line, kind):
    assert found(tmp_path, name, f"first\n{line}\nlast") == [f"{name}, line 2: {kind}"]


@pytest.mark.parametrize(
    "place",
    ["/home/anna/clips", "/tmp/run-1/model", "C:\\\\Users\\\\anna", "~/models", "file:///home/anna/clips", "~anna/x"],
)
@pytest.mark.parametrize("around", ['{{"data": "{}"}}', "trained on `{}`, then", "broken: {}: no frames", "{}"])
def test_places(tmp_path, place, around):
    leaks = found(tmp_path, "training.json", around.format(place))
    assert len(leaks) == 1 and leaks[0].startswith(f"training.json, line 1: the path {place}")


@pytest.mark.parametrize(
    "line",
    [
        "https://huggingface.co/anna/model/blob/main/README.md",
        '"model_embeddings.class_token": "model-00001-of-00007.safetensors"',
        '"id2label": {"0": "/m/0k4j", "1": "n/a", "2": "and/or"}',
        "[card](docs/publish.md), 16/9, 3 clips/s, ~5 s, 10 GB/s",
        '"pad_token": "<pad>", token="user token", token: str | None',
        "def push(token=None, use_auth_token=False)",
        "the model's token mixes with that of the next frame; secret: none",
        "arXiv:2106.05968",
    ],
)
def test_what_only_looks_like_it(tmp_path, line):
    assert found(tmp_path, "README.md", line) == []
    assert found(tmp_path, "config.json", line) == []


def test_paths_in_source_code_are_not_places(tmp_path):
    assert found(tmp_path, "my_model.py", "x = '/home/' + name  # as /usr/bin/env") == []


def test_the_users_name(tmp_path, monkeypatch):
    from holovid.publishing import leaks

    monkeypatch.setattr(leaks, "user_name", lambda: "anna")
    assert found(tmp_path, "training.json", '"host": "anna@station"') == ["training.json, line 1: the user name anna"]
    assert found(tmp_path, "training.json", '"from": "runs/anna/best"') == [
        "training.json, line 1: the user name anna"
    ]
    assert found(tmp_path, "training.json", '"model": "anna/model", "by": "anna"') == []
    assert found(tmp_path, "training.json", '"page": "https://example.com/anna/"') == []
    monkeypatch.undo()
    leaks.user_name.cache_clear()
    monkeypatch.setattr(getpass, "getuser", lambda: (_ for _ in ()).throw(KeyError("no such user")))
    assert leaks.user_name() == ""
    leaks.user_name.cache_clear()


def test_noted_places_are_taken_out_and_nothing_else(tmp_path):
    path = tmp_path / "config.json"
    text = json.dumps({"_name_or_path": "anna/model", "size": 1})
    path.write_text(text)
    forget_places(path)
    assert path.read_text() == text
    noted = {"_name_or_path": "/home/anna/x", "parts": [{"output_dir": "../runs", "cache_dir": None}], "size": 1}
    path.write_text(json.dumps(noted))
    forget_places(path)
    assert json.loads(path.read_text()) == {"parts": [{"cache_dir": None}], "size": 1}
