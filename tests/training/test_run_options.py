"""What is wrong with a training run's arguments is one sentence, said before torch is imported where that is cheap."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest
from ctrl_c import heed_ctrl_c
from training_runs import EXAMPLES, environment, rendered
from transformers import TrainingArguments

from holovid.families import variants
from holovid.training.arguments import Parser, RunArguments, parse_arguments
from holovid.training.run_options import LARGEST_FILE, arguments_of, check_run, meanings, training_fields

ALIASES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- recipe\n- small\n", r"must hold lines such as 'recipe: small', got \"\['recipe', 'small'\]\""),
        ("recipe small", "must hold lines"),
        ("", "must hold lines"),
        ("recipe: small\nrecipe: cast-ssv2\n", "gives 'recipe' more than once"),
        ('{"recipe": "small", "recipe": "b"}', "gives 'recipe' more than once"),
        (ALIASES, "line 2 has an alias"),
        ("&a {a: *a}", "has an alias"),
        ("recipe:\tsmall\n\tdata: clips\n", "cannot be read"),
        ("recipe: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("[" * 3000 + "]" * 3000, "nested too deeply"),
        ("recipe: \0", "unacceptable character"),
        ("? [a]\n: b\n", "unhashable key"),
        ("a: 1\n---\nb: 2\n", "expected a single document"),
        ("data: " + "x" * LARGEST_FILE, "larger than 1,048,576 bytes"),
    ],
    ids=range(14),
)
def test_files_that_are_no_arguments(tmp_path, text, message):
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(ValueError, match=message) as raised:
        arguments_of(tmp_path / "run.yaml")
    assert "\n" not in str(raised.value)


def test_a_file_in_another_encoding(tmp_path):
    (tmp_path / "run.yaml").write_bytes("data: caf\u00e9".encode("latin-1"))
    with pytest.raises(ValueError, match=r"run\.yaml cannot be read: 'utf-8' codec"):
        arguments_of(tmp_path / "run.yaml")


@pytest.fixture
def data(tmp_path) -> Path:
    (tmp_path / "clips.csv").write_text("path,label\nclip.mp4,left\n")
    (tmp_path / "empty").mkdir()
    return tmp_path


GOOD = ["--recipe", "small", "--data", "{data}/clips.csv", "--model", "xvit"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "smal", *GOOD[2:]], "did you mean 'small'"),
        (["--recipe", "small"], "the clips are missing: pass --data, or name them as the first word"),
        (["--model", "xvit", "{data}/clips.csv"], r"clips\.csv' belongs to no argument: --model takes one word"),
        (["{data}/nowhere", *GOOD[:2]], "there is no .*nowhere"),
        ([*GOOD, "--data", "{data}/nowhere"], "there is no .*nowhere"),
        ([*GOOD, "--validation", "{data}/nowhere.csv"], r"there is no .*nowhere\.csv"),
        ([*GOOD, "--target", "verb", "noun"], "no column 'verb'; there are path, label"),
        ([*GOOD, "--target", "labels"], "did you mean 'label'"),
        ([*GOOD, "--model", "{data}/model"], "there is no folder"),
        ([*GOOD, "--model", "{data}/empty"], "it has no config.json"),
        ([*GOOD[:4], "--model", "xvitt"], "there is no model or folder 'xvitt'; did you mean 'xvit'"),
        ([*GOOD[:4], "--model", "xvitt=google/vit-base-patch16-224"], "did you mean 'xvit'"),
        ([*GOOD, "--model", "xvit={data}/empty"], "it has no config.json"),
        ([*GOOD[:4], "--experts", "space={data}/no/clip", "time=some/videomae"], "there is no folder"),
        ([*GOOD, "--num_train_epocs", "3"], "did you mean --num_train_epochs"),
        ([*GOOD, "--batchsize=3"], "there is no argument '--batchsize=3'"),
        (
            [*GOOD, "--root", "{data}/clip"],
            "there is no folder .*clip' in which relative paths of a table could start",
        ),
        (["{data}/run.yaml"], "No such file"),
    ],
)
def test_what_is_cheap_to_check(data, arguments, message):
    with pytest.raises((ValueError, OSError), match=message):
        check_run([argument.format(data=data) for argument in arguments])


def test_what_is_right_passes(data):
    check_run([f"{data}/clips.csv"])
    check_run([f"{data}/clips.csv", "--output=run", "--model", "xvit"])
    check_run([f"{data}/clips.csv", "--model", "xvit=google/vit-base-patch16-224", "--recipe", "xvit-ssv2"])
    check_run(
        [
            argument.format(data=data)
            for argument in [*GOOD, "--num-train-epochs=3", "--learning_r", "1e-3", "--no_flip"]
        ]
    )
    check_run([f"{data}/clips.csv", "--model", "gpt2"])  # a Hub id without an owner, unlike any of our names
    check_run(["--help"])
    assert set(training_fields()) >= {each.name for each in fields(TrainingArguments) if each.init} - {
        "distributed_state"
    }


def test_clips_come_first_and_names_have_dashes_or_underscores(tmp_path):
    for name, words in {
        "underscores": ["--data", "clips", "--model", "xvit", "--output_dir", "out", "--num_frames", "4"],
        "dashes": ["clips", "--model=xvit", "--output", "out", "--num-frames", "4"],
        "equals": ["clips", "--model=xvit", "--output=out", "--num-frames=4"],
    }.items():  # fmt: skip
        run, args = parse_arguments([*words, "--use_cpu"])
        assert (run.data, run.model, run.recipe, run.num_frames, args.output_dir) == (
            "clips", "xvit", "small", 4, "out",
        ), name  # fmt: skip
    (tmp_path / "run.yaml").write_text("data: clips\noutput: out\nmodel: xvit\n")
    run, args = parse_arguments([f"{tmp_path}/run.yaml", "others", "--output", "elsewhere", "--use_cpu"])
    assert (run.data, run.model, args.output_dir) == ("others", "xvit", "elsewhere")


def test_a_run_that_names_nothing_starts_a_small_model_that_hears():
    run = RunArguments("clips")
    assert (run.model, run.recipe) == (variants()["ca2st"].name, "small")
    for model, recipe in (("xvit", "small"), ("me/model", "finetune"), ("xvit=me/vit", "finetune")):
        assert RunArguments("clips", model=model).recipe == recipe
    assert RunArguments("clips", experts=["space=a/b", "time=c/d"]).recipe == "finetune"
    assert RunArguments("clips", recipe="small").model is None


def test_its_epochs():
    for words, epochs in (([], 6), (["--num_train_epochs", "2"], 2), (["--model", "ca2st"], 10)):
        _, args = parse_arguments(["clips", "--use_cpu", *words])
        assert args.num_train_epochs == epochs


def test_every_argument_is_described():
    assert meanings(RunArguments).keys() == {each.name for each in fields(RunArguments)}
    assert all(len(told) > 20 for told in meanings(RunArguments).values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--num_frames", "0"], "--num_frames must be at least 1, got 0"),
        (["--image_size", "-5"], "--image_size must be"),
        (["--per_device_train_batch_size", "0"], "--per_device_train_batch_size must be"),
        (["--gradient_accumulation_steps", "0"], "--gradient_accumulation_steps must be"),
        (["--num_train_epochs", "nan"], "--num_train_epochs must be"),
        (["--num_train_epochs", "-1"], "--num_train_epochs must be"),
        (["--num_train_epochs", "inf"], "--num_train_epochs must be"),
        (["--learning_rate", "-1"], "--learning_rate must be"),
        (["--weight_decay", "nan"], "--weight_decay must be"),
        (["--dataloader_num_workers", "-1"], "--dataloader_num_workers must be"),
        (["--seed", "-1"], "--seed must be"),
        (["--seed", "99999999999"], "--seed must be at most 4294967295"),
        (["--ema_decay", "1"], "--ema_decay must be between 0 and 1, got 1.0"),
        (["--ema_decay", "nan"], "--ema_decay must be"),
    ],
)
def test_numbers_of_which_no_run_is_made(arguments, message):
    with pytest.raises(ValueError, match=message):
        parse_arguments(["--data", "clips", "--model", "xvit", "--recipe", "small", "--use_cpu", *arguments])


def test_numbers_of_the_loop():
    from training_runs import script

    loop = sys.modules[script("train_accelerate").__module__].LoopArguments
    parser = Parser((RunArguments, loop))
    for arguments in (["--batch_size", "0"], ["--accumulate", "-1"], ["--epochs", "0"], ["--workers", "-2"]):
        with pytest.raises(ValueError, match=f"{arguments[0]} must be at least"):
            parser.given(["--data", "clips", "--recipe", "small", *arguments])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("train", ["--recipe", "smal", "--data", "x"], "did you mean 'small'"),
        ("train", ["--recipe", "small", "--data", "x", "--model", "xvit"], "there is no 'x'"),
        (
            "train_accelerate",
            ["--recipe", "small", "--data", "clips.csv", "--batch_size", "0"],
            "--batch_size must be",
        ),
        ("evaluate_clips", ["x", "y"], "it is not"),
        ("evaluate_clips", ["/no/where", "y"], "there is no folder"),
        ("evaluate_clips", ["/no/where"], "required: data"),
    ],
)
def test_scripts_end_in_one_sentence(forks, name, arguments, message, tmp_path):
    if message == "it is not":
        (tmp_path / "config.json").write_text("{}")
        arguments, message = [tmp_path, tmp_path / "nowhere"], "there is no"
    (tmp_path / "clips.csv").write_text("video,label\na.mp4,run\n")
    done = forks.run(["python", EXAMPLES / f"{name}.py", *arguments], cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"{name}.py: ") and message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_command_ends_in_one_sentence(forks, tmp_path):
    for arguments, message in (
        ([], "pass --data"),
        (["nowhere"], "there is no 'nowhere'"),
        (["clips.csv", "--recipe", "smal"], "there is no recipe 'smal'"),
        (["clips.csv", "--modle", "xvit"], "did you mean --model?"),
    ):
        (tmp_path / "clips.csv").write_text("video,label\na.mp4,run\n")
        done = forks.run(["holovid", "train", *arguments], cwd=tmp_path)
        said = done.stderr.splitlines()[-1]
        assert done.returncode == 2 and said.startswith("holovid: ") and message in said
        assert "Traceback" not in done.stderr


def test_scripts_check_what_is_cheap_without_torch():
    code = f"""
import importlib.util, sys
for name in ("train", "train_accelerate"):
    spec = importlib.util.spec_from_file_location(name, {str(EXAMPLES)!r} + f"/{{name}}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for arguments, message in ((["--recipe", "smal", "--data", "x"], "small"), (["--recip", "small"], "--data"),
                               (["--recipe", "small", "--data", "x", "--see", "1", "--modle", "y"], "--model")):
        try:
            module.main(arguments)
        except ValueError as error:
            assert message in str(error), error
        else:
            raise AssertionError(arguments)
assert "torch" not in sys.modules and "transformers" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.linux
def test_ctrl_c_in_training_says_how_to_go_on(tmp_path_factory, tmp_path):
    """Pressed while workers read clips: each process gets the signal, and one line is said."""
    clips = rendered(tmp_path_factory)
    options = {
        "model": "xvit", "recipe": "small", "data": clips, "target": "motion", "output_dir": tmp_path / "run",
        "num_train_epochs": 5000, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1,
        "save_strategy": "steps", "save_steps": 2, "eval_strategy": "no", "dataloader_num_workers": 2,
    }  # fmt: skip
    command = [sys.executable, "-m", "holovid", "train", "--use_cpu", "true"]
    command += [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(),
        start_new_session=True, preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    started = time.monotonic()
    while not list(tmp_path.glob("run/checkpoint-*")) and time.monotonic() - started < 240 and process.poll() is None:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    try:
        _, said = process.communicate(timeout=120)
    finally:
        if process.poll() is None:  # else it would go on beside the tests that follow
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode == 130, said
    (line,) = (line for line in said.splitlines() if line.startswith("holovid: "))
    assert line.startswith("holovid: stopped: ") and "--resume_from_checkpoint true" in line
    assert "Traceback" not in said
