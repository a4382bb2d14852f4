"""VideoTrainer on clips in memory: what it logs, draws, averages, saves and refuses."""

import json
import math
import multiprocessing
import shutil
from pathlib import Path

import pytest
import tiny_ca2st
import torch
from hub_server import HubServer
from tiny_xvit import tiny_config
from torch.utils.data import ConcatDataset, Subset
from transformers import TrainerCallback, TrainingArguments

from holovid import HolovidProcessor, VideoSwinConfig, VideoSwinForVideoClassification, XViTForVideoClassification
from holovid.data import EpochSampler
from holovid.families import families
from holovid.recipes import get_recipe
from holovid.training.averaging import AVERAGE_NAME, WeightAverage
from holovid.training.checkpoints import (
    all_checkpoints,
    check_same_model,
    checkpoint_faults,
    newest_checkpoint,
    resume_point,
)
from holovid.training.trainer import VideoTrainer, check_arguments, check_batch


class Clips(torch.utils.data.Dataset):
    """Noise, as ClipDataset would give it."""

    takes_epochs = True

    def __init__(self, count: int):
        generator = torch.Generator().manual_seed(1)
        self.frames = torch.randn(count, 6, 3, 16, 16, generator=generator)
        self.asked: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, key) -> dict[str, torch.Tensor]:
        self.asked.append(key)
        index = key[1] if isinstance(key, tuple) else key
        return {"pixel_values_videos": self.frames[index], "labels": torch.tensor(index % 5)}


def arguments(folder: Path, **options) -> TrainingArguments:
    defaults = {
        "output_dir": str(folder), "num_train_epochs": 2, "per_device_train_batch_size": 4, "learning_rate": 1e-3,
        "weight_decay": 0.05, "use_cpu": True, "report_to": "none", "logging_steps": 1, "eval_strategy": "epoch",
        "save_strategy": "epoch", "disable_tqdm": True, "logging_nan_inf_filter": False,
    }  # fmt: skip
    return TrainingArguments(**defaults | options)


def trainer(folder: Path, count: int = 12, model=None, **options) -> VideoTrainer:
    names = ("recipe", "ema_decay", "callbacks", "processing_class", "train_dataset", "eval_dataset")
    own = {name: options.pop(name) for name in names if name in options}
    torch.manual_seed(0)
    model = model or XViTForVideoClassification(tiny_config(problem_type="single_label_classification"))
    return VideoTrainer(
        model,
        arguments(folder, **options),
        **{"recipe": "small", "train_dataset": Clips(count), "eval_dataset": Clips(7)} | own,
    )


def test_what_is_logged_and_drawn(tmp_path):
    run = trainer(tmp_path)
    run.train()
    steps = [entry for entry in run.state.log_history if "loss" in entry]
    assert len(steps) == 6
    for entry in steps:
        assert entry["clips_per_second"] > 0 and 0 <= entry["data_wait_share"] <= 1
    evaluations = [entry for entry in run.state.log_history if "eval_top1" in entry]
    assert [entry["eval_clips"] for entry in evaluations] == [7, 7]
    assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / ".training.png").exists()


def test_epochs_have_their_own_orders_of_the_same_clips(tmp_path):
    run = trainer(tmp_path, eval_strategy="no", save_strategy="no")
    run.train()
    asked = run.train_dataset.asked
    orders = [[index for epoch, index in asked if epoch == wanted] for wanted in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(12)) and orders[0] != orders[1]


def test_the_recipe_decides_about_steps(tmp_path):
    recipe = get_recipe("xvit-ssv2")
    run = trainer(tmp_path, recipe=recipe, eval_strategy="no", save_strategy="no")
    run.train()
    assert isinstance(run.optimizer.optimizer, torch.optim.SGD)
    rates = [entry["learning_rate"] for entry in run.state.log_history if "loss" in entry]
    assert rates[0] == pytest.approx(1e-3 * 0.003 / 0.03)  # where this recipe's warm-up starts
    assert max(rates) < 1e-3


@pytest.mark.slow
def test_evaluation_does_not_change_what_follows(tmp_path):
    """Also where dropout draws, so that a run that is resumed may evaluate once more or less."""
    weights = []
    for strategy in ("no", "steps"):
        model = XViTForVideoClassification(
            tiny_config(problem_type="single_label_classification", hidden_dropout_prob=0.2)
        )
        torch.manual_seed(0)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        run = trainer(tmp_path / strategy, model=model, eval_strategy=strategy, eval_steps=1, save_strategy="no")
        run.train()
        weights.append(model.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("length", [{"num_train_epochs": 3}, {"max_steps": 8}])
def test_workers_that_go_on_reading_change_nothing(tmp_path, length):
    """Also where dropout draws; and they end with the training, in the middle of an epoch too."""
    weights = []
    for workers in (0, 1):
        torch.manual_seed(0)
        settings = {"problem_type": "single_label_classification", "hidden_dropout_prob": 0.2}
        model = XViTForVideoClassification(tiny_config(**settings))
        options = {"dataloader_num_workers": workers, "dataloader_persistent_workers": workers > 0}
        run = trainer(tmp_path / str(workers), 10, model, eval_strategy="no", save_strategy="no", **options, **length)
        run.train()
        weights.append(model.state_dict())
        assert (run.reading is not None) == (workers > 0)
        assert len([entry for entry in run.state.log_history if "loss" in entry]) in (8, 9)
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not multiprocessing.active_children()


def test_a_sampler_of_ones_own_is_left_alone(tmp_path):
    class InOrder(VideoTrainer):
        def _get_train_sampler(self, train_dataset=None):
            return torch.utils.data.SequentialSampler(self.train_dataset)

    model = XViTForVideoClassification(tiny_config(problem_type="single_label_classification"))
    options = arguments(tmp_path, eval_strategy="no", dataloader_num_workers=1, dataloader_persistent_workers=True)
    run = InOrder(model, options, train_dataset=Clips(4), recipe="small")
    loader = run.get_train_dataloader()
    assert type(loader.base_dataloader) is torch.utils.data.DataLoader and run.reading is None


@pytest.mark.parametrize("count", [3, 5])
def test_the_loss_is_that_of_all_clips(tmp_path, count):
    """Batches of 4 leave 3 of 7 clips for the last one, which must not count more."""
    run = trainer(tmp_path, per_device_eval_batch_size=count)
    metrics = run.evaluate()
    with torch.no_grad():
        clips = [run.eval_dataset[index] for index in range(7)]
        frames, labels = (torch.stack([clip[name] for clip in clips]) for name in ("pixel_values_videos", "labels"))
        expected = run.model.eval()(frames, labels=labels).loss.item()
    assert metrics["eval_loss"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", ["subset", "concat", "plain"])
def test_any_data_set_of_torch_is_trained_on(tmp_path, kind):
    """They are asked for (epoch, index) if they take that, else for an index, in the same order."""

    class Plain(Clips):
        takes_epochs = False

        def __getitem__(self, key: int) -> dict[str, torch.Tensor]:
            assert isinstance(key, int)
            return super().__getitem__(key)

    clips = Plain(12) if kind == "plain" else Clips(12)
    sets = {"plain": clips, "subset": Subset(clips, range(12)), "concat": ConcatDataset([clips])}
    loader = trainer(tmp_path, train_dataset=sets[kind]).get_train_dataloader()
    loader.set_epoch(1)
    order = EpochSampler(12, seed=42)
    order.set_epoch(1)
    labels = torch.cat([batch["labels"] for batch in loader]).tolist()
    assert labels == [index % 5 for _, index in order]
    assert clips.asked == ([index for _, index in order] if kind == "plain" else list(order))


def test_what_cannot_be_drawn_by_number_is_refused(tmp_path):
    class Endless(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(())

    with pytest.raises(ValueError, match="which a Endless does not take; use a data set with __len__"):
        trainer(tmp_path, train_dataset=Endless())


def test_each_set_is_evaluated_on_its_own_clips(tmp_path):
    """Trainer would take the loader of the first one, with its persistent workers, for all."""
    run = trainer(tmp_path, dataloader_num_workers=1, dataloader_persistent_workers=True)
    assert run.evaluate()["eval_clips"] == 7
    assert run.evaluate(Clips(5))["eval_clips"] == 5
    named = run.evaluate({"few": Clips(2), "more": Clips(3)})
    assert (named["eval_few_clips"], named["eval_more_clips"]) == (2, 3)
    assert run.get_eval_dataloader() is run.get_eval_dataloader()  # its workers stay
    run.eval_dataset = Clips(4)
    assert run.evaluate()["eval_clips"] == 4
    assert not (tmp_path / "training.png").exists()  # which is of a training


def test_arguments_serve_several_trainers(tmp_path):
    """Those of a model of labels would look for labels in the batches of one of verbs and nouns."""
    args = arguments(tmp_path)
    model = XViTForVideoClassification(tiny_config(problem_type="single_label_classification"))
    run = VideoTrainer(model, args, recipe="small", train_dataset=Clips(12), eval_dataset=Clips(7))
    assert run.label_names == ["labels"] and args.label_names is None
    run = VideoTrainer(tiny_ca2st.tiny_actions(), args, recipe="small", train_dataset=Clips(12), eval_dataset=Clips(7))
    assert run.label_names == ["verb_labels", "noun_labels"]


class Spoil(TrainerCallback):
    """Weights that are no numbers, from the second step on."""

    def on_step_end(self, args, state, control, model, **kwargs):
        if state.global_step == 1:
            model.classifier.weight.data.fill_(math.nan)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path):
    run = trainer(tmp_path, callbacks=[Spoil()])
    with pytest.raises(ValueError, match=r"the loss became nan at step 2, learning rate 0\.\d+ \(before: [\d.]+\)"):
        run.train()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "smal"}, "did you mean 'small'"),
        ({"recipe": "cast-ssv2"}, "is for ca2st models, but this is a xvit model"),
        ({"optim": "adafactor"}, "optim: the recipe decides"),
        ({"label_smoothing_factor": 0.1}, "label_smoothing_factor: the recipe decides"),
        ({"per_device_train_batch_size": 16}, "a batch of 16 clips .* is larger than the 12 training clips"),
        ({"gradient_accumulation_steps": 4}, "a batch of 16 clips .* accumulated 4 times"),
        ({"gradient_accumulation_steps": 4}, "pass --per_device_train_batch_size 3 or less"),
        ({"gradient_accumulation_steps": 13}, "_size 1 --gradient_accumulation_steps 12 or less"),
        ({"num_train_epochs": 0}, "pass --num_train_epochs above 0, or --max_steps of at least 1"),
        ({"ema_decay": 1.5}, "decay must be between 0 and 1"),
    ],
)
def test_what_is_refused_at_once(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        trainer(tmp_path, **options)
    assert not any(tmp_path.iterdir())


def test_a_metric_that_does_not_exist(tmp_path):
    run = trainer(tmp_path, load_best_model_at_end=True, metric_for_best_model="top_1", num_train_epochs=1)
    with pytest.raises(
        ValueError, match=r"there is no metric 'top_1' for --metric_for_best_model; did you mean 'top1'"
    ):
        run.train()


def test_processes_that_do_not_know_of_one_another(tmp_path, monkeypatch):
    """On CPUs without --use_cpu, each would train alone and write into the same folder."""
    args = arguments(tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="2 processes were started, but this one knows of 1"):
        check_arguments(args, Clips(12))


def test_more_processes_than_clips():
    check_batch(clips=8, devices=2, per_device=2, accumulated=2)
    with pytest.raises(ValueError, match="8 processes cannot share 7 clips; start at most 7"):
        check_batch(clips=7, devices=8, per_device=1, accumulated=1)


@pytest.mark.integration
@pytest.mark.slow
def test_averaged_weights(tmp_path):
    """Those of every step are averaged; evaluation sees the average, training does not; the model ends as it."""
    seen, evaluated = [], []

    class Watch(TrainerCallback):
        def on_step_end(self, args, state, control, model, **kwargs):
            seen.append(model.classifier.weight.detach().clone())

    class Listening(VideoTrainer):
        def evaluation_loop(self, *args, **kwargs):
            evaluated.append(self.model.classifier.weight.detach().clone())
            return super().evaluation_loop(*args, **kwargs)

    torch.manual_seed(0)
    model = XViTForVideoClassification(tiny_config(problem_type="single_label_classification"))
    run = Listening(
        model, arguments(tmp_path), recipe="small", ema_decay=0.5, train_dataset=Clips(12), eval_dataset=Clips(7),
        callbacks=[Watch()],
    )  # fmt: skip
    run.train()
    average, averages = seen[0], [seen[0]]
    for weight in seen[1:]:
        average = 0.5 * average + 0.5 * weight
        averages.append(average)
    torch.testing.assert_close(evaluated[0], averages[2])
    torch.testing.assert_close(evaluated[1], averages[5])
    torch.testing.assert_close(model.classifier.weight.detach(), averages[5])
    plain = trainer(tmp_path / "plain")
    plain.train()
    assert torch.equal(plain.model.classifier.weight, seen[5])

    checkpoint = newest_checkpoint(tmp_path, files=[AVERAGE_NAME])
    assert checkpoint.name == "checkpoint-6"
    resumed = trainer(tmp_path, ema_decay=0.5)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert torch.equal(resumed.model.classifier.weight, model.classifier.weight)
    with pytest.raises(ValueError, match=r"has no average\.safetensors"):
        trainer(tmp_path, ema_decay=0.5).train(resume_from_checkpoint=str(tmp_path / "plain" / "checkpoint-3"))


def test_averaged_weights_within_averaged_weights():
    """Trainer evaluates each of several sets by `evaluate`, within that of all."""
    model = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(model, 0.5)
    for weight in (0.0, 4.0):
        model.weight.data.fill_(weight)
        average.on_optimizer_step(None, None, None)
    with average.applied():
        for _ in range(2):
            with average.applied():
                assert model.weight.item() == 2.0
            assert model.weight.item() == 2.0
    assert model.weight.item() == 4.0


class Worsen(TrainerCallback):
    """From the second epoch on, so that the best checkpoint is that of the first."""

    def on_epoch_begin(self, args, state, control, model, **kwargs):
        if state.epoch >= 1:
            model.classifier.weight.data.neg_().mul_(3)


@pytest.mark.slow
def test_the_best_checkpoint_is_found_where_the_run_was_moved(tmp_path):
    best = {"load_best_model_at_end": True, "metric_for_best_model": "loss", "save_total_limit": 1}
    trainer(tmp_path / "run", callbacks=[Worsen()], num_train_epochs=2, **best).train()
    (tmp_path / "run").rename(tmp_path / "moved")
    run = trainer(tmp_path / "moved", callbacks=[Worsen()], num_train_epochs=3, **best)
    run.train(resume_from_checkpoint=str(newest_checkpoint(tmp_path / "moved")))
    losses = [entry["eval_loss"] for entry in run.state.log_history if "eval_loss" in entry]
    assert len(losses) == 3 and losses[0] == min(losses)
    assert run.state.best_model_checkpoint == str(tmp_path / "moved" / "checkpoint-3")
    assert run.evaluate()["eval_loss"] == losses[0]


@pytest.mark.slow
def test_epochs_of_another_length_are_not_resumed(tmp_path):
    """Trainer counts epochs by steps: of batches of 8 it would take the second epoch for the last of three."""
    trainer(tmp_path, 16, eval_strategy="no").train()
    point = str(tmp_path / "checkpoint-4")
    with pytest.raises(ValueError, match=r"is of a run with 4 steps an epoch, and now there are 2: resume with"):
        trainer(tmp_path, 16, eval_strategy="no", per_device_train_batch_size=8).train(resume_from_checkpoint=point)
    with pytest.raises(ValueError, match="with 4 steps an epoch, and now there are 5"):
        trainer(tmp_path, 20, eval_strategy="no").train(resume_from_checkpoint=point)
    other = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}  # which is the same batch
    trainer(tmp_path, 16, eval_strategy="no", **other).train(resume_from_checkpoint=point)


def test_the_best_checkpoint_is_known_by_its_name(tmp_path):
    run = trainer(
        tmp_path, num_train_epochs=3, load_best_model_at_end=True, metric_for_best_model="loss", save_total_limit=1
    )
    run.train()
    best = Path(run.state.best_model_checkpoint)
    assert best in all_checkpoints(tmp_path) and not (tmp_path / "_unfinished").exists()
    recorded = json.loads((best / "trainer_state.json").read_text())["best_model_checkpoint"]
    assert recorded == str(best)


def test_a_checkpoint_gets_its_name_when_it_is_whole(tmp_path, monkeypatch):
    run = trainer(tmp_path)
    monkeypatch.setattr(run, "_save_rng_state", lambda folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run.train()
    assert all_checkpoints(tmp_path) == []
    monkeypatch.undo()
    again = trainer(tmp_path)
    again.train()
    assert [checkpoint_faults(path) for path in all_checkpoints(tmp_path)] == [[], []]
    assert not (tmp_path / "_unfinished").exists()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def test_the_newest_checkpoint_that_is_whole(tmp_path, caplog):
    trainer(tmp_path, num_train_epochs=5, eval_strategy="no").train()
    assert newest_checkpoint(tmp_path).name == "checkpoint-15"
    (tmp_path / "checkpoint-15" / "trainer_state.json").unlink()
    cut(tmp_path / "checkpoint-12" / "optimizer.pt")
    cut(tmp_path / "checkpoint-9" / "model.safetensors")
    (tmp_path / "checkpoint-6" / "rng_state.pth").unlink()
    assert checkpoint_faults(tmp_path / "checkpoint-15") == ["it has no trainer_state.json"]
    assert checkpoint_faults(tmp_path / "checkpoint-12") == ["optimizer.pt is cut short"]
    assert checkpoint_faults(tmp_path / "checkpoint-9") == ["model.safetensors is cut short"]
    assert checkpoint_faults(tmp_path / "checkpoint-6") == ["it has no rng_state.pth"]
    assert newest_checkpoint(tmp_path).name == "checkpoint-3"
    assert newest_checkpoint(tmp_path, files=["average.safetensors"]) is None
    assert newest_checkpoint(tmp_path / "nowhere") is None


def test_where_a_run_is_resumed(tmp_path, caplog):
    assert resume_point(arguments(tmp_path)) is None
    assert resume_point(arguments(tmp_path, resume_from_checkpoint="true")) is None
    trainer(tmp_path, num_train_epochs=1, eval_strategy="no").train()
    with pytest.raises(ValueError, match="holds checkpoints of an earlier run"):
        resume_point(arguments(tmp_path))
    whole = tmp_path / "checkpoint-3"
    assert resume_point(arguments(tmp_path, resume_from_checkpoint="true")) == whole
    assert resume_point(arguments(tmp_path / "other", resume_from_checkpoint=str(whole))) == whole
    (whole / "rng_state.pth").rename(whole / "rng_state_0.pth")
    shutil.copy(whole / "rng_state_0.pth", whole / "rng_state_1.pth")
    assert resume_point(arguments(tmp_path, resume_from_checkpoint="true")) == whole
    assert f"{whole} is of a run of 2 processes, and this one has 1" in caplog.text
    (whole / "rng_state_0.pth").rename(whole / "rng_state_2.pth")
    assert checkpoint_faults(whole) == ["it has no rng_state_0.pth"]
    (whole / "rng_state_2.pth").rename(whole / "rng_state.pth")
    with pytest.raises(ValueError, match="true, false or the folder of a checkpoint"):
        resume_point(arguments(tmp_path, resume_from_checkpoint="yes"))
    (whole / "scheduler.pt").unlink()
    with pytest.raises(ValueError, match=r"cannot be resumed: it has no scheduler\.pt"):
        resume_point(arguments(tmp_path, resume_from_checkpoint=str(whole)))


def test_another_model_is_not_resumed(tmp_path):
    """Weights of the same shapes would load, and answers would get the names of other classes."""
    kind = {"problem_type": "single_label_classification"}

    def of(**fields) -> VideoTrainer:
        return trainer(tmp_path, model=XViTForVideoClassification(tiny_config(**kind | fields)), eval_strategy="no")

    of(id2label=dict(enumerate("abcde"))).train()
    point = str(tmp_path / "checkpoint-3")
    with pytest.raises(ValueError, match=r"id2label was a, b, c, d, e, and is v, w, x, y, z now.*another --output"):
        of(id2label=dict(enumerate("vwxyz"))).train(resume_from_checkpoint=point)
    with pytest.raises(ValueError, match=r"num_hidden_layers was .*, and is 1 now"):
        of(id2label=dict(enumerate("abcde")), num_hidden_layers=1).train(resume_from_checkpoint=point)
    of(id2label=dict(enumerate("abcde")), hidden_dropout_prob=0.1).train(resume_from_checkpoint=point)
    other = VideoSwinForVideoClassification(VideoSwinConfig(**families()["video_swin"].toy, num_labels=5))
    with pytest.raises(ValueError, match="its model_type is xvit, and that of this run is video_swin"):
        trainer(tmp_path, model=other).train(resume_from_checkpoint=point)


@pytest.mark.parametrize("family", list(families()))
def test_a_model_is_the_same_after_it_was_saved(tmp_path, family):
    config = families()[family].config_class(**families()[family].toy, id2label={0: "left", 1: "right"})
    config.save_pretrained(tmp_path)
    check_same_model(tmp_path, config)


def test_tensorboard_gets_the_throughput(tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    trainer(tmp_path, report_to="tensorboard", save_strategy="no").train()
    events = EventAccumulator(str(tmp_path / "events")).Reload()
    values = [event.value for event in events.Scalars("train/clips_per_second")]
    assert len(values) == 6 and min(values) > 0
    assert len(events.Scalars("eval/top1")) == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_published_with_a_license(tmp_path):
    processor = HolovidProcessor.for_model(tiny_config())
    with HubServer() as hub, hub.visited():
        run = trainer(tmp_path, hub_model_id="me/trained", max_steps=1, processing_class=processor)
        run.train()
        published = run.push_to_hub(license="apache-2.0")
        repository = hub.repositories["me/trained"]
        with pytest.raises(ValueError, match="name the repository"):
            trainer(tmp_path / "nameless").push_to_hub(license="apache-2.0")
    files = repository.commits[repository.head]
    assert published.changed and {"model.safetensors", "README.md", "processor_config.json"} <= files.keys()
    assert not [name for name in files if name.startswith(("training_args", "checkpoint"))]
