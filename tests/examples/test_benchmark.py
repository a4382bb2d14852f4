"""examples/benchmark: every question is answered with tiny models, and the arithmetic is that of a hand-made case.

How fast anything is cannot be tested; that a ratio is the one that its docstring promises can.
"""

import importlib
import importlib.util
import json
import time

import pytest
import torch
from places import BENCHMARK


@pytest.fixture
def script(monkeypatch):
    """Imports a script as running it would."""
    monkeypatch.syspath_prepend(BENCHMARK)
    return importlib.import_module


@pytest.fixture
def answer(script, capsys):
    """Runs a question with tiny models; returns what its line of JSON holds."""

    def run(question: str, *options: str) -> dict:
        script(question).main(["--quick", "--repeat", "2", *options])
        *table, line = capsys.readouterr().out.splitlines()
        found = json.loads(line)
        assert found["question"] == question and found["title"].endswith("?")
        assert any(found["headings"][0].split()[0] in row for row in table)
        assert all(len(row) == len(found["headings"]) for row in found["cells"])
        assert {"torch", "transformers", "cpu", "threads", "gpu"} <= found["versions"].keys()
        return found

    return run


def test_no_script_hides_a_library():
    specs = {path: importlib.util.find_spec(path.stem) for path in BENCHMARK.glob("*.py")}
    assert not [path.name for path, spec in specs.items() if spec and spec.origin != str(path)]


def test_ratios_are_of_neighbours_in_time(script):
    # 100 GFLOP in 2 s and in 4 s, between limits of 60 and 40, and of 40 and 80 GFLOP/s: 50 of 50, and 25 of 60;
    # the peer takes 2 s for twice the work, and then 10 s
    turns = script("turns").Turns(100.0, 200.0, [2.0, 4.0], [(60.0, 40.0), (40.0, 80.0)], [2.0, 10.0])
    assert turns.ratios == pytest.approx([1.0, 25 / 60])
    assert turns.over_peer == pytest.approx([0.5, 1.25])
    assert turns.fastest == pytest.approx(50 / 80)


@pytest.mark.parametrize(("count", "ranks"), [(1, (1, 1)), (5, (1, 5)), (6, (1, 6)), (11, (2, 10)), (33, (11, 23))])
def test_the_interval_of_a_median_is_that_of_coins(script, count, ranks):
    """By tables of the sign test, such as those of Conover's Practical Nonparametric Statistics."""
    values = [float(number) for number in range(count, 0, -1)]
    assert script("turns").interval_of(values) == ranks
    heads = torch.distributions.Binomial(count, torch.tensor(0.5))
    below = heads.log_prob(torch.arange(ranks[0]).float()).exp().sum().item()
    assert count < 6 or below <= 0.025


def test_limit_is_the_rate_that_the_fastest_product_keeps_up(script, monkeypatch):
    limit = script("limit")
    assert limit.Limit("cpu", "bf16", ((8, 8, 8),), kept_up=0.01)._outputs[0].dtype == torch.bfloat16
    operations = []

    def stopwatch(call, device):
        operations.append(2 * call().numel() * 10)
        return next(seconds)

    monkeypatch.setattr(limit, "stopwatch", stopwatch)
    # twice 2 calls of the one in 1.0 s, and 1 of the other in 0.5 s; both do as much in a second, the other twice
    seconds = iter([0.4, 0.6, 0.5] * 2 + [0.2, 0.1, 0.3])
    measured = limit.Limit("cpu", "bf16", ((10, 10, 10), (20, 10, 10)), kept_up=0.5)
    assert measured() == pytest.approx(3 * 4e-6 / 0.6) and operations[-3:] == [4000] * 3


class Clock:
    """A limit of 10 GFLOP/s, and calls that take as many seconds as one says."""

    device, dtype = "cpu", "fp32"

    def __init__(self, *seconds: float):
        self.seconds, self.calls = iter(seconds), 0

    def __call__(self) -> float:
        return 10.0

    def stopwatch(self, call, device):
        call()
        return next(self.seconds)

    def call(self) -> None:
        self.calls += 1


def test_rounds_go_on_until_they_agree(script, monkeypatch):
    turns = script("turns")
    for seconds, rounds in (
        ([2.0] * 11, 11),  # they agree
        ([2.0, 4.0] * 5 + [2.0] * 23, 20),  # until ranks 6 and 15 of 20 are both 2 s
        ([2.0, 4.0] * 17, 33),  # they never do
    ):
        clock = Clock(*seconds)
        monkeypatch.setattr(turns, "stopwatch", clock.stopwatch)
        row = turns.take_turns(clock.call, 20.0, clock)
        assert len(row["seconds"]) == len(row["limits"]) == rounds and clock.calls == rounds + 1  # one warms up
        assert row["ratios"] == pytest.approx([1.0 if second == 2 else 0.5 for second in seconds[:rounds]])
        assert turns.outcome(row).endswith(f"{rounds} rounds" + (", stayed wide" if rounds == 33 else ""))


def test_the_peer_takes_turns(script, monkeypatch):
    turns, clock, peer = script("turns"), Clock(2.0, 3.0, 2.0, 6.0), Clock()
    monkeypatch.setattr(turns, "stopwatch", clock.stopwatch)
    row = turns.take_turns(clock.call, 20.0, clock, peer.call, 30.0, repeat=2, most=2)
    assert (clock.calls, peer.calls) == (3, 3) and row["peer_seconds"] == [3.0, 6.0]
    assert row["over_peer"] == [1.0, 2.0] and row["peer_interval"] == (1.0, 2.0)


def test_what_would_take_too_long_is_left_out(script, monkeypatch):
    turns, clock = script("turns"), Clock()
    monkeypatch.setattr(turns, "stopwatch", clock.stopwatch)
    row = turns.take_turns(clock.call, 1500.0, clock, patience=100.0)
    assert row["outcome"] == "left out: about 5 minutes" == turns.outcome(row) and clock.calls == 0


def test_a_long_row_ends_with_fewer_rounds(script, monkeypatch):
    turns, clock = script("turns"), Clock(*[2.0] * 9)
    times = iter(range(0, 10_000, 50))
    monkeypatch.setattr(turns, "stopwatch", clock.stopwatch)
    monkeypatch.setattr(turns.time, "monotonic", lambda: next(times))
    assert len(turns.take_turns(clock.call, 20.0, clock)["ratios"]) == 3


def test_two_runs_are_compared_row_by_row(script, tmp_path, capsys):
    agreement = script("agreement")
    paths = []
    for name, shift in (("first", 0.0), ("second", 0.03), ("third", 0.05)):
        row = {"model": "XViT-B/16", "frames": 8, "batch": 1, "dtype": "fp32", "ratios": [0.8, 0.9 + shift, 1.0]}
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps({"forward": {"rows": [row, {"model": "all of these", "outcome": "not run"}]}}))
    page = tmp_path / "page.md"
    assert agreement.main([str(paths[0]), str(paths[1]), "--output", str(page)]) == 0
    assert "| XViT-B/16, 8 frames, batch 1, fp32 | of the limit | 0.900 | 0.930 | 0.030 |" in page.read_text()
    assert "At most 0.030 apart; 0.04 or less is wanted: reached." in capsys.readouterr().out
    assert agreement.main([str(paths[0]), str(paths[2])]) == 1 and "**missed**" in capsys.readouterr().out
    paths[2].write_text(json.dumps({"forward": {"failed": "left out: no time"}}))
    with pytest.raises(ValueError, match="no row in common"):
        agreement.main([str(paths[0]), str(paths[2])])


def test_operations_are_counted_as_by_hand(script):
    subjects = script("subjects")
    from transformers import VideoMAEConfig

    from holovid.facts import model_facts

    subject = subjects.SUBJECTS["ca2st"]
    config = subject.make_config(quick=True)
    assert subjects.count_gflop(subject, config) == model_facts(config).gflop

    # two layers on T / 2 * (32 / 16)² = 8 tokens of width 32, intermediate size 64, and a classifier of 2 classes
    config = VideoMAEConfig(**subjects.SMALL | {"intermediate_size": 64})
    embeddings = 8 * 32 * (3 * 2 * 16 * 16)
    layer = 8 * 4 * 32 * 32 + 2 * 8 * 8 * 32 + 2 * 8 * 32 * 64
    forward = 2e-9 * (embeddings + 2 * layer + 32 * 2)
    assert subjects.count_gflop(subjects.SUBJECTS["videomae"], config) == pytest.approx(forward)
    # twice as much again for the backward pass, but that the pixels need no gradient
    training = 3 * forward - 2e-9 * embeddings
    assert subjects.count_gflop(subjects.SUBJECTS["videomae"], config, training=True) == pytest.approx(training)


def test_frozen_experts_cost_no_gradient_of_theirs(script):
    subjects = script("subjects")
    subject = subjects.SUBJECTS["cast"]
    config = subject.make_config(quick=True)
    forward, training = (subjects.count_gflop(subject, config, training) for training in (False, True))
    assert forward < training < 2.7 * forward


def test_rows_for_which_there_is_no_time_are_left_out(answer):
    rows = answer("forward", "--models", "xvit-8", "cast", "--dtypes", "fp32", "--seconds", "0")["rows"]
    assert [row["outcome"] for row in rows if row["device"] == "cpu"] == ["left out: no time"] * 3


def test_best_batch_is_found_before_memory_ends(script):
    rounds, asked = script("rounds"), []

    def row_at(batch: int, compiled: bool) -> dict:
        asked.append((batch, compiled))
        if batch > 8:
            raise torch.OutOfMemoryError("no more")
        return {"batch": batch, "compiled": compiled, "ratios": [{1: 0.2, 4: 0.6, 8: 0.5}[batch]]}

    rows = rounds.best_batch(row_at, (1, 4, 8, 16, 32))
    assert [(row["batch"], row["compiled"]) for row in rows] == [(4, False), (4, True)]
    assert asked == [(1, False), (4, False), (8, False), (16, False), (4, True)]
    with pytest.raises(ValueError, match="not even a batch of 16 fits"):
        rounds.best_batch(row_at, (16, 32))


@pytest.mark.parametrize("question", ["forward", "training_step"])
def test_models_answer(answer, question):
    found = answer(question, "--models", "xvit-8", "ca2st", "timesformer", "video-swin-t", "--dtypes", "fp32")
    rows = [row for row in found["rows"] if row["device"] == "cpu"]
    assert {row["model"] for row in rows} == {"XViT-B/16", "CA²ST-B/16", "TimeSformer-B/16", "Video Swin-T"}
    assert [row["batch"] for row in rows] == ([1, 4, 1, 1, 1] if question == "forward" else [1, 1, 1, 1])
    for row in rows:
        assert len(row["ratios"]) >= 2 and row["gflop"] == row["gflop_a_clip"] * row["batch"]
        assert row["attention"] == "sdpa"
        peers = {"TimeSformer-B/16": "TimeSformer-B/16 of transformers", "Video Swin-T": "Video Swin-T of torchvision"}
        assert question == "training_step" or row["peer"] == peers.get(row["model"], "VideoMAE-B/16")
        assert len(row.get("over_peer", row["ratios"])) == len(row["ratios"])


@pytest.mark.slow
def test_models_beside_those_of_others(answer):
    rows = answer("beside", "--models", "timesformer", "video-swin-t")["rows"]
    peak = "peak memory of a training step"
    assert [(row["beside"], row["what"], row["batch"]) for row in rows] == [
        ("transformers", "forward pass", 1), ("transformers", "forward pass", 4), ("transformers", "training step", 1),
        ("transformers", peak, 1), ("transformers", peak, 4), ("torchvision", "forward pass", 1),
        ("torchvision", "training step", 1), ("torchvision", peak, 1),
    ]  # fmt: skip
    assert all(ratio > 0 for row in rows for ratio in row["over_theirs"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is said without a GPU")
def test_without_a_gpu_it_is_said(answer):
    for question in ("limit", "frames", "decoding"):
        assert any("not run: no CUDA" in row for row in answer(question)["cells"])
    assert "not run: no CUDA" in answer("forward", "--models", "xvit-8", "--dtypes", "bf16")["cells"][-1]
    assert "not run: no CUDA" in answer("bfloat16", "--clips", "1")["cells"][-1]


@pytest.mark.gpu
@pytest.mark.slow
def test_with_a_gpu_there_are_rows_of_it(answer):
    for question in ("forward", "training_step"):
        found = answer(question, "--models", "xvit-8", "--dtypes", "bf16")
        rows = [row for row in found["rows"] if row["device"] == "cuda"]
        assert [row["compiled"] for row in rows] == [False, True] and "ms" in found["cells"][-1][-1]
    assert any(row["device"] == "cuda" for row in answer("memory", "--models", "xvit-8")["rows"])


def test_frames_are_over_those_of_eight(answer):
    rows = {row["frames"]: row for row in answer("frames")["rows"] if row["device"] == "cpu"}
    assert list(rows) == [4, 8, 16, 32, 64] and rows[8]["ratios"] == [1.0, 1.0]
    assert rows[32]["gflop_ratio"] == pytest.approx(4.0, rel=0.01)
    fours, eights = rows[4]["seconds"], rows[8]["seconds"]
    assert rows[4]["ratios"] == [four / eight for four, eight in zip(fours, eights, strict=True)]


def test_bfloat16_rounds_a_model_that_is_sharp(answer):
    row = answer("bfloat16", "--clips", "3")["rows"][0]
    assert 1e-4 < row["difference"] < 0.1 and 0 <= row["agreement"] <= 1 and len(row["speedups"]) == 3


def test_reading_is_a_part_of_recognising(answer, script, tmp_path):
    rows = [row for row in answer("decoding")["rows"] if row["device"] == "cpu"]
    assert [(row["model"], row["hears"]) for row in rows] == [("XViT-B/16", False), ("CA²ST-B/16", True)]
    from holovid.processing.video_decoding import open_video

    with open_video(str(script("decoding").render(tmp_path / "clip.mp4", seconds=1)), with_sound=True) as video:
        facts = video.metadata
        assert (facts.total_num_frames, facts.fps, facts.width, facts.height) == (30, 30, 340, 256)
        assert video.sound.rate == 44_100


@pytest.mark.slow
def test_readers_take_turns(answer, script):
    *rows, together = answer("decoders")["rows"]
    assert [row["width"] for row in rows] == [340 if len(row["clip"]) < 5 else 112 for row in rows]
    assert all("holovid" in row["equal"] and len(row["seconds"]["holovid"]) == 2 for row in rows)
    assert all(0 < ratio <= 1 for row in rows for ratio in row["of_the_fastest"]) and together["clip"] == "all"
    assert script("decoders").spread_over(29) == [0, 4, 8, 12, 16, 20, 24, 28]


@pytest.mark.slow
def test_int8_is_beside_16_bits(answer):
    rows = {row["way"]: row for row in answer("int8")["rows"]}
    assert list(rows)[:3] == ["float32", "bfloat16", "int8, torch"]
    assert (
        rows["float32"]["difference"] == 0 < rows["bfloat16"]["difference"] < rows["int8, torch"]["difference"] < 0.5
    )
    assert rows["float32"]["over_float"] == [1.0, 1.0]
    others = [row.get("outcome", "") for name, row in rows.items() if name.startswith("int8")]
    assert all(not outcome or outcome.startswith("not run: ") for outcome in others)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is said without a GPU")
def test_switches_wait_for_a_gpu(answer):
    first, *others = answer("switches", "--models", "xvit-8")["rows"]
    assert first["way"] == "as it is" and first["difference"] == 0 and len(first["ratios"]) >= 2
    assert len(others) == 6 and {row["outcome"] for row in others} == {"not run: no CUDA"}


def test_scale_is_multiplied_out(script):
    scale = script("scale")
    measured = scale.Measured(read_seconds=0.036, clip_bytes=1_000_000, gflop=300.0)
    assumed = scale.Assumed(600.0, 0.5, 0.25, core_hour=0.1, gpu_hour=2.0, gigabyte_month=0.02)
    label, embed, train = scale.rows(1e6, measured, assumed)
    # 600 * .5 / .3 = 1000 clips a second; 10 core hours; 1000 s = .28 GPU hours; 8 GPUs take 8 * 1000 * 8 Mbit
    assert label == ["1,000,000", "label", "10", "0.3", "36", "64.0", "", "$ 1.6"]
    assert embed[1] == "embed" and embed[6] == "3.2 GB"
    # 35 epochs, three times the work at half the rate: 35 * 6 times the GPU hours
    assert train[2:4] == ["350", "58"]


@pytest.mark.slow
def test_small_files_are_read_beside_large_ones(answer):
    (row,) = answer("shrinking")["rows"]
    assert 0 < row["small"]["bytes"] < row["large"]["bytes"]
    for what in ("decoding", "reading"):
        before, after = row["large"][what], row["small"][what]
        assert len(before) == len(after) == 2 and min(before + after) > 0
        assert row[f"{what}_ratios"] == pytest.approx([before[0] / after[0], before[1] / after[1]])
    assert all(0 <= share <= 1 for name in ("large", "small") for share in row[name]["waited"])


@pytest.mark.slow
def test_a_film_is_over_windows_side_by_side(answer):
    rows = answer("films", "--seconds", "4")["rows"]
    assert [row["ratios"] for row in rows if row["way"] == "each window" and row["stride"] == 2.0] == [[1, 1], [1, 1]]
    strides = [(row["mixing"], row["stride"]) for row in rows if row["way"] == "the stream"]
    assert strides == [
        ("from the past", 2.0), ("from the past", 1.0), ("from the past", 0.25), ("both ways, groups of 4", 2.0),
        ("both ways, groups of 4", 1.0),
    ]  # fmt: skip


@pytest.mark.slow
def test_memory_is_that_of_a_process_of_its_own(answer):
    (row,) = answer("memory", "--models", "xvit-8")["rows"]
    assert 0 < row["weights"] < row["inference"] < row["training"]


@pytest.mark.slow
def test_compiling_is_whole_and_once(answer, script):
    rows = answer("compiling")["rows"]
    assert [(row["graph_breaks"], row["recompilations"], row["without_flash"]) for row in rows] == [(0, 0, False)] * 4

    class Broken(torch.nn.Module):
        def forward(self, values):
            print(end="")
            return values[:3] + 1 if values.shape[0] > 3 else values

    inputs = [{"values": torch.ones(size)} for size in (2, 3, 8)]
    assert script("compiling").graphs(Broken(), inputs)[1] == 1


def hand_made_answers() -> dict:
    def forward(frames: int, ratios: list[float], **fields) -> dict:
        return {"model": "XViT-B/16", "frames": frames, "device": "cpu", "dtype": "fp32", "ratios": ratios, **fields}

    answers = {
        "forward": {
            "title": "How fast?",
            "versions": {"torch": "2", "cpu": "avx512_bf16 yes", "gpu": "none"},
            "headings": ["model", "of the limit"],
            "cells": [["XViT-B/16", "0.91"]],
            "rows": [forward(8, [0.80, 0.91, 0.95], batch=1), forward(8, [0.87], batch=4)],
        },
        "frames": {"failed": "left out: no time"},
        "training_memory": {
            "versions": {"gpu": "none"},
            "headings": ["way"],
            "cells": [["all"]],
            "rows": [
                {"way": "everything is trained", "peak": 1000.0},
                {"way": "experts frozen, activation checkpointing", "peak": 250.0},
            ],
        },
    }
    return {question: answer | {"date": "2026-01-31", "minutes": 4.1} for question, answer in answers.items()}


def test_targets_are_judged_by_the_answers(script):
    verdicts = {row[0]: row[1:] for row in (target.judge(hand_made_answers()) for target in script("targets").TARGETS)}
    assert verdicts["XViT-B/16, 8 x 224², fp32, a clip: of the limit (the released code: 0.79)"] == [
        "≥ 0.90", "0.910", "reached"
    ]  # fmt: skip
    assert verdicts["the same, 4 clips (the released code: 0.72)"] == ["≥ 0.88", "0.870", "**missed**"]
    assert verdicts["the same, with activation checkpointing"] == ["≤ 0.3", "0.25", "reached"]
    assert verdicts["XViT-B/16: time of 32 frames over 8"] == ["≤ 4.1", "left out: no time", ""]
    assert verdicts["XViT-B/16, bf16 on a GPU: inference, of the limit"] == ["≥ 0.60", "not run: no CUDA", ""]
    assert verdicts["XViT-B/16, bf16 on a GPU: training, of the limit"] == [
        "≥ 0.45", "not asked: make bench, make bench-long", ""
    ]  # fmt: skip


def test_gpu_targets_take_the_better_row(script):
    rows = [
        {"model": "XViT-B/16", "frames": 8, "device": "cuda", "dtype": "bf16", "compiled": compiled, "ratios": [ratio]}
        for compiled, ratio in ((False, 0.5), (True, 0.7))
    ]
    answers = {"forward": {"rows": rows, "versions": {"gpu": "a GPU"}}}
    targets = {target.what: target.judge(answers)[2:] for target in script("targets").TARGETS}
    assert targets["XViT-B/16, bf16 on a GPU: inference, of the limit"] == ["0.700", "reached"]
    assert targets["CAST-B/16, bf16 on a GPU: inference, of the limit"] == ["not measured", ""]


def test_results_hold_targets_and_tables(script):
    page = script("run").results(hand_made_answers(), "make bench")
    assert (
        "| XViT-B/16 | 0.91 |" in page
        and "## How fast?" in page
        and "`make bench`, 12 minutes in all; torch 2" in page
    )
    assert page.count("not asked: make bench") > 9  # nothing falls out of the table
    assert "## frames\n\n`examples/benchmark/frames.py`, 2026-01-31, 4.1 minutes\n\nleft out: no time" in page


@pytest.mark.slow
def test_run_asks_and_writes(script, tmp_path, monkeypatch, capfd):
    run = script("run")
    with pytest.raises(SystemExit):
        run.main(["--quick"])
    assert "measures nothing worth keeping" in capfd.readouterr().err
    output = tmp_path / "RESULTS.md"
    options = ["--quick", "--output", str(output), "--threads", "1"]
    assert run.main([*options, "--questions", "limit"]) == 0
    assert "How fast does this machine multiply matrices?" in output.read_text()
    assert json.loads(capfd.readouterr().out.strip().splitlines()[-1])["question"] == "limit"
    assert run.main([*options, "--questions", "frames"]) == 0  # other answers stay
    page = output.read_text()
    assert page.index("How fast does this machine") < page.index("What does a longer clip cost")
    answers = json.loads(output.with_suffix(".json").read_text())
    answers["frames"]["versions"]["torch"] = "2.0.0"  # those of other versions do not
    output.with_suffix(".json").write_text(json.dumps(answers))
    assert set(run.answers_of_this_kind(output.with_suffix(".json"))) == {"limit"}
    assert "not at all: frames" in capfd.readouterr().err

    # scripts that fail, or for which there is no time, are said to
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "limit.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(run, "HERE", folder)
    assert run.main([*options, "--questions", "limit"]) == 1
    assert "failed, with status 3" in output.read_text()
    assert run.main([*options, "--questions", "limit", "--minutes", "0"]) == 1
    assert "left out: no time" in output.read_text()
    child = f"import time; time.sleep(3); open({str(tmp_path / 'left')!r}, 'w')"
    script_of_two = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    (folder / "limit.py").write_text(script_of_two)
    assert run.main([*options, "--questions", "limit", "--minutes", "0.02"]) == 1
    time.sleep(3)  # what it had started is stopped with it
    assert sorted(path.name for path in tmp_path.iterdir()) == ["RESULTS.json", "RESULTS.md", "scripts"]
