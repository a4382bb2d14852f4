"""No command line ends in a traceback: what cannot be done is one sentence and status 2, without torch if possible."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool

import pytest
import torch
from clips import write_clip
from ctrl_c import heed_ctrl_c
from huggingface_hub.errors import StrictDataclassError
from tiny_xvit import tiny, tiny_config
from torch.utils.data import DataLoader, Dataset
from typer.testing import CliRunner

import holovid.loading
from holovid import HolovidVideoProcessor
from holovid.cheap_checks import check_clips, check_model_name, check_new_file, check_new_folder
from holovid.cli import app
from holovid.commands.command_line import run_script, sentence
from holovid.devices import move_to


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Names that command lines below use -> paths."""
    folder = tmp_path_factory.mktemp("command_line")
    torch.manual_seed(0)
    tiny(id2label={0: "left", 1: "right", 2: "up", 3: "down", 4: "still"}).save_pretrained(folder / "model")
    HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6).save_pretrained(folder / "model")
    write_clip(folder / "clip.mp4")
    (folder / "broken.mp4").write_bytes(b"this is no video")
    (folder / "empty").mkdir()
    (folder / "table.csv").mkdir()
    (folder / "clips.csv").write_text("path,label\nclip.mp4,left\n")
    (folder / "other.csv").write_text("path,verb\nclip.mp4,left\n")
    (folder / "latin.txt").write_bytes("caf\u00e9\n".encode("latin-1"))
    (folder / "gap.txt").write_text("left\n\nright\n")
    torch.save([1, 2, 3], folder / "list.pt")
    torch.save({"model": {0: torch.zeros(1), "a": torch.zeros(())}}, folder / "odd.pt")
    names = (
        "model",
        "clip.mp4",
        "broken.mp4",
        "empty",
        "clips.csv",
        "other.csv",
        "latin.txt",
        "gap.txt",
        "list.pt",
        "odd.pt",
        "table.csv",
    )
    return {name.partition(".")[0]: folder / name for name in names} | {"new": folder / "new", "folder": folder}


CHEAP = [  # and said without torch
    ("classify {new} {clip}", "there is no folder"),
    ("classify {clip} {clip}", "is a file; give the folder of a model"),
    ("classify {empty} {clip}", "it has no config.json"),
    ("classify {model} {new}.mp4", "there is no video at"),
    ("classify {model} {empty}", "there are no clips in"),
    ("classify {model} {clip} --top-k 0", "'--top-k'"),
    ("classify {model} {clip} --top-k many", "'--top-k'"),
    ("classify {model} {clip} --on-broken ignore", "'--on-broken'"),
    ("classify {model} {clip} --picture {new}.txt", "--picture must end in"),
    ("classify {model} {clip} --output {table}", "table.csv is a folder; name a file"),
    ("classify {model} {clip} --picture {clip}/seen.png", "clip.mp4 is not a folder"),
    ("embed {model} {clip} --output {clip}/new.parquet", "clip.mp4 is not a folder"),
    ("timeline {model} {clip} --output {table}", "table.csv is a folder; name a file"),
    ("evaluate {model} {clips} --output {clip}", "clip.mp4 is a file; name a folder"),
    ("classify {model}", "Missing argument"),
    ("classify {model} {clip} --topk 3", "No such option: --topk"),
    ("classfy {model} {clip}", "No such command 'classfy'"),
    ("--verbose", "No such option"),
    ("watch {new} {clip}", "there is no folder"),
    ("watch {model} {clip} --device cdua", "there is no device 'cdua'; give cpu, cuda"),
    ("watch {model} {clip} --stride 0", "'--stride'"),
    ("timeline {new} {clip}", "there is no folder"),
    ("timeline {model} {new}.mp4", "there is no video at"),
    ("timeline {model} {clip} --output {new}.txt", "the file of a timeline must end in .csv"),
    ("timeline {model} {clip} --device cdua", "there is no device 'cdua'"),
    ("timeline {model} {clip} --batch-size 0", "'--batch-size'"),
    ("timeline {model}", "give either a film, or --truth with a table"),
    ("timeline {model} {clip} --truth {other}", "give either a film, or --truth with a table"),
    ("timeline {model} --truth {new}.csv", "there is no"),
    ("timeline {model} --truth {other}", "has no column 'start'"),
    ("timeline {model} --truth {other} --output {new}.png", "with --truth, --output must end in .csv or .json"),
    ("embed {model} {clip} --output {new}.csv", "a file of vectors must end in .parquet"),
    ("embed {model} {new}.mp4 --output {new}.parquet", "there is no video at"),
    ("embed {new} {clip} --output {new}.parquet", "there is no folder"),
    ("embed {model} {clip}", "Missing option '--output'"),
    ("search {new}.parquet", "give either a clip to compare with, or --row"),
    ("search {new}.parquet {clip} --row 1", "give either a clip to compare with, or --row"),
    ("search {new}.parquet {new}.mp4", "there is no video at"),
    ("probe {new}.parquet {new}.csv", "there is no"),
    ("probe {new}.parquet {other}", "has no column 'label'"),
    ("probe {new}.parquet {clips} --folds 1", "'--folds'"),
    ("evaluate {new} {clips}", "there is no folder"),
    ("evaluate {model} {new}", "there is no"),
    ("evaluate {model} {new}.csv", "there is no"),
    ("evaluate {model} {clip}", "a table ends in"),
    ("evaluate {model} {empty}", "the folder is empty"),
    ("evaluate {model} {clips} --target labels", "has no column 'labels'; did you mean 'label'?"),
    ("evaluate {model} {other} --target noun", "has no column 'noun'; there are path, verb"),
    ("evaluate {model} {clips} --target ,", "--target must name a column"),
    ("evaluate {model} {clips} --recipe xvit-sv2", "did you mean 'xvit-ssv2'?"),
    ("evaluate {model} {clips} --views 0", "'--views'"),
    ("evaluate {model} {clips} --autocast float8", "autocast must be one of"),
    ("evaluate {model} {clips} --ensemble votes", "ensemble must be one of"),
    ("evaluate {model} {clips} --batch-size 0", "'--batch-size'"),
    ("evaluate {model} {clips} --workers -1", "'--workers'"),
    ("convert {odd} --family vit --output {new}", "unknown family 'vit'"),
    ("convert {new}.pt --family xvit --output {new}", "there is no file"),
    ("convert {odd} --family xvit --output {new} --num-frames 0", "'--num-frames'"),
    ("convert {odd} --family xvit --output {new} --frame-stride -1", "'--frame-stride'"),
    ("convert {odd} --family xvit --output {new} --labels {latin}", "is not text in UTF-8"),
    ("convert {odd} --family xvit --output {new} --labels {gap}", "line 2 is empty"),
    ("convert {odd} --family xvit --output {new} --labels {new}.txt", "No such file"),
    ("export {new} {new}", "there is no folder"),
    ("export {model} {new} --format tflite", "unknown format 'tflite'; choose from onnx, torch"),
    ("info {new}/model", "there is no folder"),
    ("info {empty}", "it has no config.json"),
    ("card {new} --licence mit", "give the folder of a saved model"),
    ("card {empty} --licence mit", "it has no config.json"),
    ("push {new} me/model --licence mit", "give the folder of a saved model"),
    ("push {model} me/model --licence mine", "the Hub knows no licence 'mine'"),
    ("push {model} me/model --licence mit --expert space", "--expert takes name=value"),
    ("data synth {new} --size 0", "size must be an even number"),
    ("data synth {new} --size 1000000", "size must be an even number of pixels from 16 to"),
    ("data synth {new} --frame-rate 0", "'--frame-rate'"),
    ("data synth {new} --seconds nan", "seconds"),
    ("data synth {new} --seconds inf", "seconds"),
    ("data synth {new} --seconds -1", "seconds"),
    ("data synth {new} --seed -1", "'--seed'"),
    ("data synth {new} --train -1", "'--train'"),
    ("data synth {new} --workers 0", "'--workers'"),
    ("data synth {new} --train 99999999999999999999", "train + val must be 1 to 10,000,000 clips"),
    ("data sinth {new}", "No such command 'sinth'"),
]
WITH_TORCH = [
    ("classify {model} {broken}", "broken.mp4"),
    ("watch {model} {clip} --device cuda:93", "the model cannot be moved to 'cuda:93'"),
    ("watch {model} {clip} --every nan", "every=nan"),
    ("watch {model} {clip} --every 0", "every=0"),
    ("timeline {model} {clip} --window 0", "window must be a number of at least 0.001, got 0.0"),
    ("timeline {model} {clip} --stride nan", "stride must be"),
    ("timeline {model} {clip} --gap -1", "gap must be"),
    ("timeline {model} {clip} --threshold 1.5", "threshold must be between 0 and 1, got 1.5"),
    ("timeline {model} {clip} --background nothing", "background 'nothing' is not a class"),
    ("timeline {model} {broken}", "broken.mp4"),
    ("search {new}.parquet {clip}", "there is no file of vectors at"),
    ("search {other} {clip}", "is not a file of vectors: "),
    ("evaluate {model} {clips} --crops 2", "num_crops must be one of"),
    ("evaluate {model} {clips} --views 99999999999999999999", "num_views must be a whole number from 1 to 1,024"),
    ("evaluate {model} {other}", "no column 'label'"),
    ("convert {list} --family xvit --output {new}", "is not a checkpoint"),
    ("convert {odd} --family xvit --output {new}", "no state dict found"),
    ("export {model} {new} --inputs sound", "sound"),
    ("train {clips} --model xvit --output {clip}", "clip.mp4 is a file; name a folder"),
    ("export {model} {new} --batch 0", "batch must be at least 1 clip"),
]


def run(line, places):
    return CliRunner().invoke(app, [part.format(**places) for part in line.split()])


@pytest.mark.parametrize(("line", "message"), CHEAP + WITH_TORCH)
def test_what_cannot_be_done_is_one_sentence(places, line, message):
    before = sorted(places["folder"].iterdir())
    result = run(line, places)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("holovid: ") and message in result.stderr
    assert (
        result.stderr.count("\n") == 1 and "Traceback" not in result.output and "bug of holovid" not in result.stderr
    )
    assert not result.stdout and sorted(places["folder"].iterdir()) == before


def test_what_is_cheap_to_check_is_checked_without_torch(places):
    """All of them in one process, which has imported neither torch nor transformers at the end."""
    lines = [[part.format(**places) for part in line.split()] for line, _ in CHEAP]
    script = f"""
import sys
from typer.testing import CliRunner
from holovid.cli import app
for line in {lines!r}:
    assert CliRunner().invoke(app, line).exit_code == 2, line
    assert "torch" not in sys.modules and "transformers" not in sys.modules, line
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_folder_may_be_written_whose_parent_may_not(places, monkeypatch):
    """Such as one's own below a mount point."""
    monkeypatch.setattr(os, "access", lambda place, mode: str(place) == str(places["empty"]))
    check_new_folder(places["empty"])
    check_new_folder(places["empty"] / "new" / "run")
    check_new_file(places["empty"] / "new.csv")
    for refused in (places["folder"] / "run", places["folder"]):
        with pytest.raises(ValueError, match="you have no right to write in"):
            check_new_folder(refused)
    with pytest.raises(ValueError, match="you have no right to write in"):
        check_new_file(places["folder"] / "new.csv")


def test_version():
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0 and result.stdout.split() == ["holovid", holovid.__version__]


def test_a_fault_of_ours_is_one_sentence_too(places, monkeypatch):
    def fail(*_):
        raise LookupError("no such thing\nand more")

    monkeypatch.setattr(holovid.loading, "load_classifier", fail)
    result = run("classify {model} {clip}", places)
    assert result.exit_code == 2 and result.stderr.startswith("holovid: LookupError: no such thing; this is a bug of")
    assert result.stderr.count("\n") == 1
    monkeypatch.setenv("HOLOVID_TRACEBACK", "1")
    assert "Traceback" in run("classify {model} {clip}", places).stderr


def test_classify_goes_on_past_broken_clips_when_asked(places):
    line = "classify {model} {clip} {broken} {new}.mp4 {clip} --on-broken skip --top-k 2"
    result = run(line + " --json", places)
    assert result.exit_code == 1
    answers = json.loads(result.stdout)
    assert [sorted(answer) for answer in answers] == [
        ["answers", "clip"],
        ["clip", "error"],
        ["clip", "error"],
        ["answers", "clip"],
    ]
    assert "broken.mp4" in answers[1]["error"] and answers[0] == answers[3] and len(answers[0]["answers"]) == 2
    assert result.stderr == "holovid: 2 of 4 clips could not be read\n"
    table = run(line, places)
    assert table.exit_code == 1 and "cannot be read:" in table.stdout and "still" in table.stdout + "still"
    pictured = places["folder"] / "sheet.png"
    assert run(f"{line} --picture {pictured}", places).exit_code == 1 and pictured.is_file()
    pictured.unlink()
    assert run("classify {model} {broken} --on-broken skip", places).exit_code == 1


class Failing(Dataset):
    """What happens to a worker of a loader: it raises, or it is killed."""

    def __init__(self, how):
        self.how = how

    def __len__(self):
        return 1

    def __getitem__(self, place):
        if self.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError("clip.mp4 has no frames")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("raised", "clip.mp4 has no frames"),
        ("killed", "a worker process that reads clips was killed, often for lack of memory: use fewer workers, or 0"),
    ],
)
@pytest.mark.linux
def test_what_became_of_a_worker(how, said):
    with pytest.raises(Exception) as raised:
        next(iter(DataLoader(Failing(how), num_workers=1)))
    assert sentence(raised.value) == said


def nested(depth):
    return f(depth) if (f := nested) and depth < 0 else nested(depth + 1)


def test_sentences():
    with pytest.raises(StrictDataclassError) as raised:
        tiny_config(num_frames=0)
    assert sentence(raised.value) == "num_frames must be at least 1, got 0"
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60)
    assert sentence(raised.value).startswith("there is not enough memory for this")
    with pytest.raises(RecursionError) as raised:
        nested(0)
    assert "nested too deeply" in sentence(raised.value)
    assert sentence(MemoryError()).startswith("there is not enough memory")
    killed = BrokenProcessPool("A process in the process pool was terminated abruptly")
    assert sentence(killed).startswith("a worker process was killed, often for lack of memory: use fewer --workers")
    assert sentence(ValueError("first\nsecond")) == "first"
    assert sentence(ValueError()) == "ValueError"


def test_scripts_end_like_commands(capsys):
    def refused():
        raise ValueError("no")

    def stopped():
        raise KeyboardInterrupt

    assert run_script("a.py", lambda: None) == 0
    assert run_script("a.py", refused) == 2
    assert run_script("a.py", stopped, "go on by --resume") == 130
    assert capsys.readouterr().err == "a.py: no\n\na.py: stopped: go on by --resume\n"


def test_devices():
    model = torch.nn.Linear(1, 1)
    assert move_to(model, "cpu") is model
    with pytest.raises(ValueError, match="there is no device 'meta'"):
        move_to(model, "meta")


def test_names_of_the_hub_and_lists_are_left_to_those_who_know(tmp_path):
    check_model_name("someone/some-model")
    check_clips("someone/some-clips", ["label"])
    (tmp_path / "list.csv").write_text("a/1.mp4 2\n")
    check_clips(str(tmp_path / "list.csv"), ["label"])


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.linux
def test_ctrl_c_is_one_line(places, tmp_path):
    command = [sys.executable, "-c", "from holovid.cli import main; main()", "data", "synth", str(tmp_path / "clips")]
    process = subprocess.Popen(
        [*command, "--train", "5000", "--workers", "1"], stderr=subprocess.PIPE, text=True,
        preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    time.sleep(8)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "holovid: stopped" in said and "Traceback" not in said
