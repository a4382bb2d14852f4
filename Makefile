# Everything runs in .venv, which each target makes from nothing but python3 and make.
PYTHON ?= python3
BIN := .venv/bin
# one thread a test process: two cores run two processes
export OMP_NUM_THREADS ?= 1

.PHONY: demo ablation bench test quick lint types upstream clean

demo: .venv/ready  ## render clips, fine-tune a tiny XViT, show what mixing is for
	$(BIN)/python examples/demo.py

ablation: .venv/ready  ## what each mechanism is for, measured: docs/ablation.md
	$(BIN)/python examples/ablation.py --table docs/ablation.md

bench: .venv/ready  ## speed and memory, as ratios to what the machine can: examples/benchmark/RESULTS.md
	$(BIN)/python examples/benchmark/run.py

test: lint types  ## everything, as CI runs it
	$(BIN)/python -m pytest -n 2 --dist worksteal

quick: .venv/ready  ## the tests that take seconds
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# mypy cannot follow the renamed folders of an editable install, so it reads the built wheel
types: .venv/ready
	$(BIN)/python tests/wheel_of_ours.py

upstream: .venv/ready  ## transformers' own common tests on our classes
	$(BIN)/python tests/upstream/run.py

.venv/ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv .cache build dist demo-output ablation-output src/holovid.egg-info .pytest_cache .mypy_cache .ruff_cache
