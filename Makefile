# Everything runs in .venv, which each target makes from nothing but python3 and make.
# On Windows: in Git Bash, where these shell commands are known too.
ifeq ($(OS),Windows_NT)
SHELL := bash
PYTHON ?= python
COMMANDS := Scripts
EXE := .exe
else
PYTHON ?= python3
COMMANDS := bin
EXE :=
endif
BIN := .venv/$(COMMANDS)
# one thread a test process: two cores run two processes
export OMP_NUM_THREADS ?= 1

.PHONY: demo ablation explain bench bench-long test test-all quick docs lint types upstream mutants lock newest lowest \
	main nightly upstream-newest upstream-lowest package clean

demo: .venv/ready  ## render clips, fine-tune a tiny XViT, show what mixing is for
	$(BIN)/python examples/demo.py

ablation: .venv/ready  ## what each mechanism is for, measured: docs/ablation.md
	$(BIN)/python examples/ablation.py --table docs/ablation.md

explain: .venv/ready  ## are explanations true? all families and methods, docs/explanations.md
	$(BIN)/python examples/explanations.py --table docs/explanations.md

bench: .venv/ready  ## speed, as ratios to what the machine can, in 25 minutes: examples/benchmark/RESULTS.md
	$(BIN)/python examples/benchmark/run.py

bench-long: .venv/ready  ## what takes longer, added to it: training, memory, films, other models
	$(BIN)/python examples/benchmark/run.py --minutes 90 \
		--questions beside films allocation shrinking decoders packing int8 switches training_memory training_step

# Together test and test-all run every test once.
TESTS := -m pytest -n 2 --dist worksteal

test: lint types  ## lint, types, the fast tests and one slow test of each kind: minutes
	$(BIN)/python $(TESTS) -m "not slow or integration"

test-all: .venv/ready  ## all other tests: pages of docs/, several processes, compilation, the whole corpus, upstream
	$(BIN)/python $(TESTS) -m "slow and not integration"

quick: .venv/ready  ## the tests that take seconds
	$(BIN)/python $(TESTS) -m "not slow"

docs: .venv/ready  ## the pages of docs/ as a site with the API: site/index.html; a broken link is an error
	$(BIN)/python docs/scripts/build_site.py

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# mypy cannot follow the renamed folders of an editable install, so it reads the built wheel
types: .venv/ready
	$(BIN)/python tests/support/wheel_of_ours.py

upstream: .venv/ready  ## transformers' own common tests on our classes
	$(BIN)/python tests/upstream/run.py

# how many places a file, drawn by which seed
MUTANTS ?= 40
SEED ?= 0
mutants: .venv/ready  ## change FILES at random places, and see which changes the fast tests notice: docs/mutants.md
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraints constraints.txt --editable ".[mutants]"
	$(BIN)/python tests/mutants/run.py --sample $(MUTANTS) --seed $(SEED) $(FILES)

# Versions that constraints.in does not hold back are the newest ones. Python 3.11 is the oldest that we support: what
# is found for it can be installed on all later ones too.
lock: $(BIN)/uv$(EXE)  ## write constraints.txt: the exact versions that everything else here installs
	echo "# Made by make lock: versions that are tested together. What constraints.in holds back, and why:" > .venv/constraints.new
	grep -v "^# Read by" constraints.in | sed -e 's/^# //' -e 's/^/#   /' >> .venv/constraints.new
	$(BIN)/uv pip compile --quiet --python-version 3.11 --no-header --no-annotate --no-emit-index-url \
		--no-emit-find-links --constraints constraints.in $(addprefix --extra ,dev int8 mutants release) pyproject.toml \
		>> .venv/constraints.new
	mv .venv/constraints.new constraints.txt

RESOLUTION_newest := highest
RESOLUTION_lowest := lowest-direct
RESOLUTION_main := highest
# its releases are on the registry, its main branch is not
ALSO_main := "transformers @ git+https://github.com/huggingface/transformers"
# old releases warn about one another, main about what is to come
WARNINGS_lowest := -W default
WARNINGS_main := -W default
newest lowest main: $(BIN)/uv$(EXE)  ## the fast tests with the newest or lowest versions allowed, or transformers' main
	$(BIN)/uv venv --quiet --clear --seed --python $(BIN)/python .venv-$@
	$(BIN)/uv pip install --quiet --python .venv-$@/$(COMMANDS)/python --resolution $(RESOLUTION_$@) \
		--editable ".[dev]" $(ALSO_$@)
	test $@ != lowest || $(BIN)/uv pip uninstall --quiet --python .venv-$@/$(COMMANDS)/python torchcodec  # fits one PyTorch
	@echo "Versions that constraints.txt does not have:"
	@$(BIN)/uv pip freeze --quiet --python .venv-$@/$(COMMANDS)/python --exclude-editable | grep -vxFf constraints.txt \
		|| echo none
	.venv-$@/$(COMMANDS)/python $(TESTS) -m "not slow" $(WARNINGS_$@) --ignore tests/test_constraints.py

upstream-newest upstream-lowest: upstream-%:  ## transformers' own tests there; make newest (lowest) comes before
	.venv-$*/$(COMMANDS)/python tests/upstream/run.py -q

nightly:  ## what other versions say of us; everything is tried, whatever fails
	status=0; $(MAKE) --keep-going newest lowest || status=1; \
	$(MAKE) --keep-going upstream-newest upstream-lowest || status=1; exit $$status

# The wheel is built from the sdist, as whoever builds it elsewhere does.
package: .venv/ready  ## wheel and sdist in dist/, checked, and a clip labelled with the wheel in an empty folder
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraints constraints.txt --editable ".[release]"
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*
	HOLOVID_WHEEL=$$(ls dist/*.whl) $(BIN)/python -m pytest -n 0 tests/test_first_minutes.py tests/test_types_outside.py \
		-k "first_screen or types"

$(BIN)/uv$(EXE):
	test -x $(BIN)/python$(EXE) || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv

.venv/ready: pyproject.toml constraints.txt | $(BIN)/uv$(EXE)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraints constraints.txt --build-constraints constraints.txt \
		--editable ".[dev]"
	touch $@

clean:
	rm -rf .venv .venv-newest .venv-lowest .venv-main .cache build dist site demo-output ablation-output src/holovid.egg-info .pytest_cache .mypy_cache .ruff_cache
