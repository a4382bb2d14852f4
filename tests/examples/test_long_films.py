"""examples/long_films.py: what its tables say is what is seen, and the command measures the same as the script."""

import importlib.util
import json

import numpy as np
import pytest
from places import ROOT
from typer.testing import CliRunner

from holovid.cli import app
from holovid.processing.video_decoding import open_video


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("long_films", ROOT / "examples" / "long_films.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_something_is_seen_when_the_table_says_so(script, tmp_path):
    there = script.render_film(tmp_path / "film.mp4", np.random.default_rng(3), 30.0)
    assert len(there) >= 3 and all(one.label in script.CLASSES for one in there)
    with open_video(tmp_path / "film.mp4") as video:
        pixels, times = video.frames()
        times = times - video.start
    background = pixels[0].float()  # films begin with a pause
    changed = (pixels.float() - background).abs().mean(dim=(1, 2, 3)).numpy()
    for one in there:
        seen = (times >= one.start - 1e-3) & (times < one.end - 1e-3)
        before = (times >= one.start - 0.3) & (times < one.start - 1e-3)
        assert changed[seen].min() > changed[before].max() + 1


@pytest.mark.slow
def test_the_command_measures_what_the_script_does(script, tmp_path, capsys):
    script.main(["--films", "3", "--seconds", "12", "--windows", "20", "--epochs", "1", "--output", str(tmp_path)])
    *_, table, _, verdict = capsys.readouterr().out.strip().splitlines()
    rules = ["--threshold", "0.5", "--smooth", "0.75", "--gap", "0.5", "--shortest", "1", "--background", "nothing"]
    arguments = ["timeline", str(tmp_path / "model"), "--truth", str(tmp_path / "test.csv"), "--stride", "0.25"]
    result = CliRunner().invoke(app, [*arguments, *rules, "--json"])
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.stdout)["metrics"]
    assert table == "| mAP | " + " | ".join(
        f"{metrics[name]:.3f}" for name in (*(f"map_at_{overlap}" for overlap in (0.3, 0.4, 0.5, 0.6, 0.7)),
                                            "mean_average_precision")
    ) + " |"  # fmt: skip
    assert verdict.startswith(f"mAP at 0.5: {metrics['map_at_0.5']:.3f}, ")
