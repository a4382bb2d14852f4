"""Where things lie in the checkout."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
BENCHMARK = EXAMPLES / "benchmark"
TESTS = ROOT / "tests"
SUPPORT = TESTS / "support"
