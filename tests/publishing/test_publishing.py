"""`holovid push`: what goes, what stays, what is refused, and that a repository changes in one commit or not at all.

Published and used elsewhere: tests/test_round_trip.py.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from clips import write_clip
from hub_server import HubServer, Repository
from huggingface_hub import HfApi, ModelCard, ModelCardData
from huggingface_hub.utils import _http
from tiny_ca2st import CAST, tiny_actions, tiny_clip, tiny_videomae
from tiny_xvit import tiny
from transformers import Trainer, TrainingArguments, ViTConfig
from typer.testing import CliRunner

from holovid import (
    CA2STForVideoClassification,
    HolovidProcessor,
    HolovidVideoProcessor,
    XViTForVideoClassification,
)
from holovid.cli import app
from holovid.publishing import push
from holovid.publishing import repository as repositories
from holovid.publishing.leaks import forget_places
from holovid.publishing.licences import Licence
from holovid.publishing.push import check_as_stranger, check_sizes, keep_or_make_card, list_files, publish

# huggingface_hub's own way to send a large file
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
BY_HAND = "---\ndatasets:\n- me/clips   # mine\nlicense: mit\n---\n\n# My model\n\nIt says left or right.\n"
MIT = Licence("mit")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("publishing") / "saved"
    torch.manual_seed(0)
    tiny(id2label={0: "left", 1: "right", 2: "up", 3: "down", 4: "still"}).save_pretrained(folder)
    HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A model and its processor, for a test to add to."""
    return Path(shutil.copytree(saved, tmp_path / "my-model"))


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)  # before it tries again
    with HubServer() as hub, hub.visited():
        yield hub


@pytest.fixture
def holovid():
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def there(repo_id: str, **options) -> repositories.Repository:
    return repositories.Repository.find(repo_id, None, **{"private": None} | options)


# What goes


@pytest.mark.integration
@pytest.mark.slow
def test_dry_run_says_what_would_go(holovid, folder, monkeypatch):
    (folder.parent / "clips" / "left").mkdir(parents=True)
    write_clip(folder.parent / "clips" / "left" / "a.mp4")
    result = holovid("evaluate", folder, folder.parent / "clips", "--output", folder / "evaluation")
    assert result.exit_code == 0, result.output
    for name in ("optimizer.pt", "training_args.bin", "trainer_state.json", "LICENSE", "notes.txt", "checkpoint-1/a"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("all of it")
    monkeypatch.setattr(repositories.Repository, "find", lambda *args: pytest.fail("asked the Hub"))
    result = holovid("push", folder, "me/my-model", "--licence", "mit", "--dry-run", "--include", "notes.*", "--json")
    assert result.exit_code == 0, result.output
    publication = json.loads(result.stdout)
    kinds = {file["path"]: file["kind"] for file in publication["files"] if file["kind"] != "source code"}
    assert kinds == {
        "LICENSE": "licence text",
        "README.md": "model card",
        "config.json": "settings",
        "evaluation/confusion.png": "picture",
        "evaluation/results.json": "evaluation",
        "model.safetensors": "weights",
        "notes.txt": "included",
        "video_preprocessor_config.json": "settings",
    }
    assert set(publication["left_out"]) >= {"checkpoint-1/", "optimizer.pt", "trainer_state.json"}
    assert "training_args.bin" in publication["left_out"]
    assert not [name for name in publication["left_out"] if name.endswith((".safetensors", ".py"))]
    assert (publication["url"], publication["changed"], publication["max_difference"]) == (None, False, 0.0)
    assert not (folder / "README.md").exists()


@pytest.mark.slow
def test_a_model_of_verbs_and_nouns_is_checked_though_no_auto_class_loads_it(tmp_path, holovid):
    model = tiny_actions(experts=CAST)
    (tmp_path / "model").mkdir()
    model.save_pretrained(tmp_path / "model")
    HolovidProcessor.for_model(model.config).save_pretrained(tmp_path / "model")
    result = holovid(
        "push", tmp_path / "model", "me/actions", "--licence", "mit", "--dry-run", "--max-shard-size", "200KB"
    )
    assert result.exit_code == 0, result.output
    assert "Loads without holovid; outputs are identical.\nDry run: nothing was uploaded.\n" in result.stdout
    assert result.stdout.count(".safetensors ") > 1


@pytest.mark.slow
def test_weights_without_experts_are_checked_with_those_of_the_cache(tmp_path, hub):
    for expert, model in (("clip", tiny_clip()), ("videomae", tiny_videomae())):
        model.push_to_hub(expert)
    sources = {"space": "me/clip", "time": "me/videomae"}
    model = CA2STForVideoClassification.from_experts(**sources, num_labels=5, num_frames=8)
    processor = HolovidProcessor.for_model(model.config)
    options = {"processor": processor, "licence": "mit", "adapters_only": True}
    publication = publish(model, "me/adapters", **options)
    assert publication.changed and publication.max_difference == 0
    assert json.loads(hub.files("me/adapters")["config.json"])["adapters_only"]
    full = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    assert len(hub.files("me/adapters")["model.safetensors"]) < full / 2
    assert not model.config.adapters_only

    homeless = CA2STForVideoClassification.from_experts(space=tiny_clip(), time=tiny_videomae(), num_frames=8)
    with pytest.raises(ValueError, match=r"users could not download the space and the time expert.*record_experts"):
        publish(homeless, "me/adapters", **options)


@pytest.mark.slow
def test_experts_of_folders_here_leave_their_hashes_and_no_paths(tmp_path):
    places = {"space": tmp_path / "experts" / "clip", "time": tmp_path / "experts" / "videomae"}
    tiny_clip().save_pretrained(places["space"])
    tiny_videomae().save_pretrained(places["time"])
    model = CA2STForVideoClassification.from_experts(**places, num_labels=5, num_frames=8)
    folder = save(model, tmp_path / "model")
    assert str(places["space"]) in (folder / "config.json").read_text()
    publication = publish(folder, "me/both", licence="mit", dry_run=True)
    assert publication.max_difference == 0
    with pytest.raises(ValueError, match=r"users could not download the space and the time expert.*record_experts"):
        publish(folder, "me/both", licence="mit", dry_run=True, adapters_only=True)
    forget_places(folder / "config.json")
    recorded = json.loads((folder / "config.json").read_text())["expert_sources"]
    assert [(entry["source"], len(entry["sha256"])) for entry in recorded.values()] == [(None, 64)] * 2
    again = CA2STForVideoClassification.from_pretrained(folder)
    assert again.config.expert_sources == recorded


# What is refused


@pytest.mark.slow
def test_what_does_not_load_elsewhere_is_not_published(tmp_path, monkeypatch):
    (tmp_path / "my_model.py").write_text(
        "from holovid import XViTForVideoClassification\n\n\nclass MyModel(XViTForVideoClassification):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from my_model import MyModel

    MyModel.register_for_auto_class("AutoModelForVideoClassification")
    model = MyModel(tiny().config)
    (tmp_path / "README.md").write_text(BY_HAND)
    with pytest.raises(ValueError, match="do not load without holovid: ImportError: This modeling file requires"):
        check_as_stranger(
            save(model, tmp_path / "saved"), model, HolovidVideoProcessor.from_pretrained(tmp_path / "saved")
        )


@pytest.mark.slow
def test_a_model_that_computes_something_else_there_is_not_published(folder):
    torch.manual_seed(1)
    other = tiny().train()
    other.classifier.eval()  # some parts may stay as they are, as frozen ones do
    with pytest.raises(ValueError, match="without holovid, logits of the same clip differs by"):
        check_as_stranger(folder, other, HolovidVideoProcessor.from_pretrained(folder))
    assert other.training and not other.classifier.training


def save(model, folder):
    model.save_pretrained(folder)
    HolovidProcessor.for_model(model.config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["model", "--licence", "mit"], "the repository must be named user/name, got 'model'"),
        (["me/a b", "--licence", "mit"], "Repo id must use alphanumeric chars"),
        (["me/model", "--licence", "my-own"], "the Hub knows no licence 'my-own'"),
        (["me/model", "--licence", "mit", "--include", "*.png"], "has no file that matches"),
        (["me/model", "--licence", "mit", "--adapters-only"], "XViTForVideoClassification has none"),
        (["me/model", "--licence", "mit", "--expert", "space"], "--expert takes name=value"),
    ],
)
def test_a_mistake_is_one_sentence(holovid, folder, arguments, sentence):
    result = holovid("push", folder, *arguments, "--dry-run")
    assert result.exit_code == 2
    assert sentence in result.stderr and len(result.stderr.splitlines()) == 1


def test_a_licence_is_required(holovid, folder):
    result = holovid("push", folder, "me/model", "--dry-run")
    assert result.exit_code == 2 and "--licence" in result.stderr


def test_folders_that_hold_nothing_to_publish(tmp_path, folder):
    def refused(folder, sentence):
        with pytest.raises(ValueError, match=sentence):
            publish(folder, "me/model", licence="mit", dry_run=True)

    refused(tmp_path / "nowhere", "holds no saved model: it has no config.json$")
    (tmp_path / "peft").mkdir()
    (tmp_path / "peft" / "adapter_config.json").write_text("{}")
    refused(tmp_path / "peft", "merge the PEFT adapters into the model first")
    ViTConfig().save_pretrained(tmp_path / "vit")
    refused(tmp_path / "vit", "holds a vit model; holovid publishes only its own")
    (folder / "video_preprocessor_config.json").unlink()
    refused(folder, "published with its processor of holovid, found none: save one beside the model")
    with pytest.raises(ValueError, match="its own models; Linear is not one of them"):
        publish(torch.nn.Linear(1, 1), "me/model", licence="mit", dry_run=True)


def test_what_gives_something_away_is_refused_by_line(folder):
    (folder / "README.md").write_text(BY_HAND + "\nTrained on /home/anna/clips.\n")
    (folder / "training.json").write_text('{\n "output_dir": "/home/anna/run",\n "key": "hf_' + "a1" * 15 + '"\n}')
    with pytest.raises(ValueError, match="files contain what should not be published") as refusal:
        publish(folder, "me/model", licence="mit", dry_run=True)
    assert str(refusal.value).partition(": ")[2].split("; ") == [
        "README.md, line 11: the path /home/anna/clips",
        "training.json, line 2: the path /home/anna/run",
        "training.json, line 3: a token of Hugging Face",
    ]


def test_files_that_the_hub_does_not_take(folder):
    with open(folder / "model.safetensors", "r+b") as file:
        file.truncate(push.MAX_FILE_SIZE + 1)  # takes no place on the disk
    with pytest.raises(ValueError, match=r"model\.safetensors: the Hub accepts files of up to 50 GB"):
        check_sizes(list_files(folder))


# The card


def test_a_card_by_hand_stays(folder):
    (folder / "README.md").write_text(BY_HAND)
    assert keep_or_make_card(folder, "me/model", None, MIT) == "by hand"
    card = ModelCard.load(folder / "README.md")
    assert card.text == ModelCard(BY_HAND).text
    assert card.data.to_dict() == {
        "datasets": ["me/clips"], "license": "mit",
        "library_name": "transformers", "pipeline_tag": "video-classification",
    }  # fmt: skip
    complete = (folder / "README.md").read_text().replace("me/clips", "me/clips  # mine")
    (folder / "README.md").write_text(complete)
    keep_or_make_card(folder, "me/model", None, MIT)
    assert (folder / "README.md").read_text() == complete
    with pytest.raises(ValueError, match=r"README\.md says license: mit, but the licence given is apache-2\.0"):
        keep_or_make_card(folder, "me/model", None, Licence("apache-2.0"))
    (folder / "README.md").write_text("---\nlicense: [\n---\n\nMine.\n")
    with pytest.raises(ValueError, match=r"the metadata of README\.md cannot be read"):
        keep_or_make_card(folder, "me/model", None, MIT)


def test_a_card_by_hand_in_the_repository_stays(folder):
    repository = repositories.Repository(HfApi(), "me/model", private=True, card=BY_HAND)
    assert keep_or_make_card(folder, "me/model", repository, MIT) == "by hand"
    assert "It says left or right." in (folder / "README.md").read_text()
    (folder / "README.md").write_text(BY_HAND.replace("left or right", "up or down"))
    assert keep_or_make_card(folder, "me/model", repository, MIT) == "by hand"
    assert "It says up or down." in (folder / "README.md").read_text()


def test_cards_that_nobody_wrote_are_made_anew(folder, tmp_path):
    of_push = ModelCard.from_template(
        ModelCardData(tags=["x"], library_name="transformers"), model_description=push.TEMPLATE_OF_PUSH_TO_HUB
    )
    assert not push.somebody_wrote(str(of_push))
    assert push.somebody_wrote(str(of_push).replace("[More Information Needed]", "Anna", 1))
    options = TrainingArguments(tmp_path / "run", report_to="none", use_cpu=True)
    Trainer(XViTForVideoClassification.from_pretrained(folder), options).create_model_card()
    shutil.copy(tmp_path / "run" / "README.md", folder)
    assert not push.somebody_wrote((folder / "README.md").read_text())
    assert keep_or_make_card(folder, "me/model", None, MIT) == "generated"
    made = (folder / "README.md").read_text()
    assert "generated automatically according to the information the Trainer" not in made
    assert not push.somebody_wrote(made)
    assert keep_or_make_card(folder, "me/model", None, MIT) == "generated"
    assert (folder / "README.md").read_text() == made


# The commit


FILES = ["config.json", "model.safetensors"]


@pytest.mark.parametrize("cut", ["upload", "commit"])
@pytest.mark.parametrize("exists", [False, True])
def test_an_upload_that_breaks_off_changes_nothing(hub, folder, cut, exists):
    if exists:
        hub.repositories["me/model"] = Repository()
        hub.repositories["me/model"].commit({"config.json": b"{}"})
    hub.cut = cut
    with pytest.raises(ConnectionError, match=r"nothing was published in me/model, try again: .+"):
        there("me/model").upload(folder, FILES, [], "first")
    assert len(hub.repositories["me/model"].commits) == 1
    assert set(hub.files("me/model")) == ({"config.json"} if exists else {".gitattributes"})
    hub.cut = None
    commit = there("me/model").upload(folder, FILES, [], "second")
    assert commit == hub.repositories["me/model"].head and len(hub.repositories["me/model"].commits) == 2
    assert {name: hub.files("me/model")[name] for name in FILES} == {
        name: (folder / name).read_bytes() for name in FILES
    }
    assert hub.unknown_requests == []


def test_the_same_again_is_no_commit(hub, folder):
    first = there("me/model").upload(folder, FILES, [], "first")
    repository = there("me/model")
    assert repository.head == first and repository.upload(folder, FILES, FILES, "again") == first
    assert len(hub.repositories["me/model"].commits) == 2


def test_what_is_stale_goes_in_the_same_commit(hub, folder):
    """Weights of an earlier publication would be loaded in place of, or beside, those of this one."""
    there("me/model").upload(folder, FILES, [], "first")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    files = ["config.json", "model-00001-of-00001.safetensors"]
    there("me/model").upload(folder, files, ["model.safetensors", "config.json"], "second")
    assert set(hub.files("me/model")) == {".gitattributes", *files}
    assert len(hub.repositories["me/model"].commits) == 3


def test_a_commit_in_between_is_not_overwritten(hub, folder):
    there("me/model").upload(folder, ["config.json"], [], "first")
    repository = there("me/model")
    hub.repositories["me/model"].commit({"README.md": BY_HAND.encode()})
    with pytest.raises(ConnectionError, match=r"try again: A commit has happened since\."):
        repository.upload(folder, FILES, [], "second")
    assert set(hub.files("me/model")) == {"README.md"}


def test_who_may_read_it(hub, folder):
    for name, private in (("new", None), ("closed", True), ("open", False)):
        repository = there(f"me/{name}", private=private)
        repository.upload(folder, ["config.json"], [], "first")
        assert hub.repositories[f"me/{name}"].private == repository.private == (name != "open")
    assert [there("me/closed").private, there("me/open").private] == [True, False]
    with pytest.raises(ValueError, match="me/open is public: make it private in its settings"):
        there("me/open", private=True)
    with pytest.raises(ValueError, match="me/closed is private: make it public in its settings"):
        there("me/closed", private=False)


def test_without_a_token_nothing_is_tried(hub, folder, monkeypatch):
    monkeypatch.setattr(repositories, "get_token", lambda: None)
    with pytest.raises(ValueError, match="hf auth login"):
        publish(folder, "me/model", licence="mit")
    assert hub.repositories == {}


def test_a_hub_that_cannot_be_reached():
    with pytest.raises(ConnectionError, match=r"^me/model cannot be looked up: Cannot reach .*: offline mode"):
        repositories.Repository.find("me/model", "hf_any", None)


def test_a_card_is_made_of_classifiers_only(tmp_path):
    model = tiny().base_model
    model.save_pretrained(tmp_path)
    HolovidProcessor.for_model(model.config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="the model card cannot be made: the folder holds a XViTModel"):
        keep_or_make_card(tmp_path, "me/model", None, MIT)
    (tmp_path / "README.md").write_text(BY_HAND)
    assert keep_or_make_card(tmp_path, "me/model", None, MIT) == "by hand"
    assert ModelCard.load(tmp_path / "README.md").data.pipeline_tag is None


def test_sentences():
    publication = push.Publication("me/model", "mit", (), ("a",), "generated", 0.0)
    assert publication.lines()[-1] == "Dry run: nothing was uploaded."
    published = replace(publication, url="https://hub/me/model", private=True, changed=True, max_difference=1e-7)
    assert published.lines()[-2:] == [
        "Loads without holovid; outputs are equal up to 1e-07.",
        "Published: https://hub/me/model (private).",
    ]
    assert replace(published, changed=False).lines()[-1].startswith("Nothing to upload")
