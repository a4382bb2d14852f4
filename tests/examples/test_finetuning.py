"""examples/finetuning.py in miniature."""

import re
import runpy

import pytest
from places import EXAMPLES


@pytest.mark.slow
def test_the_table_is_printed(tmp_path, capsys):
    main = runpy.run_path(str(EXAMPLES / "finetuning.py"))["main"]
    words = ["--before", "32", "--before-epochs", "1", "--clips", "16", "--val", "8", "--recipes", "small"]
    for _ in range(2):  # the second time nothing is run again
        main([*words, "--output", str(tmp_path)])
        *_, said, head, line, row = capsys.readouterr().out.splitlines()
        assert said.startswith("The backbone labels 0.")
        assert (head, line) == ("| clips | `small` |", "| ---: | ---: |")
        assert re.fullmatch(r"\| 16 \| [01]\.\d{3} \(\d+ s\) \|", row)
