"""A name of no model is said at once: one request, one sentence."""

import os
import socket
import subprocess
import sys
import time

import pytest
from hub_server import HubServer, Repository
from huggingface_hub import constants
from tiny_xvit import tiny

import holovid
from holovid import (
    CA2STForVideoClassification,
    TimeSformerForVideoClassification,
    WhereWhenForVideoClassification,
    XViTForVideoClassification,
)
from holovid.loading import load_classifier
from holovid.modeling.reachable import check_reachable
from holovid.processing.processing_holovid import HolovidProcessor
from holovid.recipes import get_recipe
from holovid.training.arguments import RunArguments
from holovid.training.starting_points import find_start


@pytest.fixture
def hub():
    with HubServer() as server, server.visited():
        yield server


def test_a_name_of_no_model(hub):
    with pytest.raises(ValueError, match="no folder 'no/where', and the Hub has no model of this name"):
        holovid.load("no/where")
    assert hub.requests == 1
    run = RunArguments("clips", recipe="cast-ssv2", experts=["space=no/where", "time=no/where"])
    with pytest.raises(ValueError, match="no folder 'no/where'"):
        find_start(run, get_recipe("cast-ssv2"))
    assert hub.requests == 2


@pytest.mark.parametrize(
    "start",
    [
        lambda: CA2STForVideoClassification.from_experts(space="no/where", time="no/where"),
        lambda: WhereWhenForVideoClassification.from_experts(visual="no/where", audio="no/where"),
        lambda: XViTForVideoClassification.from_image_model("no/where"),
        lambda: TimeSformerForVideoClassification.from_transformers("no/where"),
    ],
    ids=["experts", "inner-models", "image-model", "transformers"],
)
def test_a_name_to_start_from(hub, start):
    with pytest.raises(ValueError, match="no folder 'no/where', and the Hub has no model of this name"):
        start()
    assert hub.requests == 1


def test_a_hub_that_is_ill(hub):
    hub.broken = True
    with pytest.raises(ValueError, match=rf"and the Hub at {hub.url} cannot be reached: .*503") as raised:
        holovid.load("me/model")
    assert hub.requests == 1 and "\n" not in str(raised.value)


def test_an_address_where_nobody_is(hub, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    started = time.monotonic()
    with pytest.raises(ValueError, match=rf"the Hub at {address} cannot be reached"):
        holovid.load("me/model")
    assert time.monotonic() - started < 5


def test_offline():
    with pytest.raises(ValueError, match="the Hub's cache has no model of this name; HF_HUB_OFFLINE forbids"):
        holovid.load("me/model")


def test_what_is_there_or_is_said_by_others(hub, tmp_path, monkeypatch):
    model = tiny(num_labels=2, id2label={0: "left", 1: "right"})
    model.save_pretrained(tmp_path)
    HolovidProcessor.for_model(model.config).save_pretrained(tmp_path)
    hub.repositories["me/model"] = Repository()
    hub.repositories["me/model"].commit({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    hub.repositories["me/empty"] = Repository()
    hub.repositories["me/empty"].commit({"README.md": b"nothing"})
    for name in (tmp_path, "/no/where", "me/empty", "me/model"):
        check_reachable(name)
    check_reachable("me/model", revision="no-such-branch")  # which who loads says
    assert holovid.load("me/model")[0].num_parameters() == model.num_parameters()
    hub.broken = True  # but the cache has it
    asked = hub.requests
    check_reachable("me/model")
    assert hub.requests == asked


def test_another_cache(hub, tmp_path):
    """Of which configuration and processor are read, too, as the same user."""
    model = tiny(num_labels=2, id2label={0: "left", 1: "right"})
    model.save_pretrained(tmp_path / "model")
    HolovidProcessor.for_model(model.config).save_pretrained(tmp_path / "model")
    files = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    hub.repositories["me/model"] = Repository()
    hub.repositories["me/model"].commit(files)
    options = {"cache_dir": str(tmp_path / "cache")}
    holovid.load("me/model", **options)
    hub.broken = True
    for load in (holovid.load, load_classifier):
        loaded, _ = load("me/model", local_files_only=True, **options)
        assert loaded.num_parameters() == model.num_parameters()
    with pytest.raises(ValueError, match=rf"and the Hub at {hub.url} cannot be reached"):
        holovid.load("me/model")  # is not in the usual cache


@pytest.mark.slow
def test_the_command_says_it_in_one_line():
    environment = os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "holovid", "info", "me/no-model"], capture_output=True, text=True, env=environment
    )
    (said,) = done.stderr.splitlines()
    assert done.returncode == 2 and said.startswith("holovid: there is no folder 'me/no-model', and the Hub at")
