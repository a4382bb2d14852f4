"""examples/benchmark/against_torchvision.py in miniature: both models run, and a row says how they compare."""

import re
import runpy

import pytest
from places import EXAMPLES


@pytest.mark.slow
def test_miniature(capsys):
    main = runpy.run_path(str(EXAMPLES / "benchmark" / "against_torchvision.py"))["main"]
    main(["--models", "swin3d_t", "--frames", "4", "--side", "32", "--repeats", "1", "--threads", "1"])
    # so small a clip may need less than making the models did
    row = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(
        r"\| Video Swin-T \| [\d.]+ \([\d.]+ s\) \| [\d.]+ \([\d.]+ s\) \| [a-z\d. ]+ \([\d,]+ MB\) \|", row
    )
