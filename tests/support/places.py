"""Where things lie in the checkout."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
BENCHMARK = EXAMPLES / "benchmark"
TESTS = ROOT / "tests"
SUPPORT = TESTS / "support"
COMMANDS = "Scripts" if os.name == "nt" else "bin"  # the folder of an environment that holds its python
