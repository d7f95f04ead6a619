# make run    set up and run the main job        make test   set up and run the tests
# make check  lint, types, tests, and what the examples expect of their results
# make sweep  the phase diagram                  make examples   every config in configs/
# make trainings  the sweeps over trainings, minutes
# make test-slow  theory against simulations, minutes each
# make test-lowest  quick tests with the oldest packages that pyproject.toml allows
# make test-python PYTHON=python3.13  all tests with another Python, in a venv of its own
# make schema  configs/gradlab.schema.json, for editors
# make baselines  the pictures that the figures are held against in the tests, drawn anew
# make reliability  docs/reliability.md from the tests;  make fuzz  random tests for long
# make charting  the charting library of a sweep's page again, with npm
# make gallery  docs/gallery.md, docs/figures.md and the pictures of the README, from the examples
# make bench  gradlab beside NumPy, PyTorch and JAX programs, minutes;  make bench-small  the same in seconds
# make bench-kernels  the hot kernels beside the products they cannot do without, half a minute
# make curves  how time and memory grow, docs/performance.md

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
QUICK ?= tests/config/test_config_schema.py tests/config/test_config_loading.py tests/config/test_config_messages.py \
  tests/report/test_export.py tests/report/figures/test_save.py tests/weights/test_keras_files.py \
  tests/cli/test_cli_commands.py tests/cli/test_settings.py tests/test_startup.py
CONFIG ?= configs/rnn_exploding.yaml
SWEEP ?= configs/phase_diagram.yaml
SWEEPS := $(shell grep -l '^sweep:' configs/*.yaml)
TRAIN := $(shell grep -l '^train:' configs/*.yaml)
TRAINED := $(filter-out $(SWEEPS),$(TRAIN))
LONG := $(filter $(SWEEPS),$(TRAIN))
RUNS := $(filter-out $(SWEEPS) $(TRAINED),$(wildcard configs/*.yaml))
EXPECTING := $(filter $(shell grep -l '^expect:' configs/*.yaml),$(RUNS))
EXAMPLES := $(patsubst configs/%.yaml,results/%/summary.json,$(RUNS) $(TRAINED) $(filter-out $(LONG),$(SWEEPS)))

.PHONY: run sweep test test-first test-second test-slow test-lowest test-python fuzz reliability check lint types expectations examples trainings schema \
  baselines charting gallery bench bench-small bench-kernels curves clean

run: $(VENV)/.installed
	$(BIN)/gradlab run $(CONFIG)

sweep: $(VENV)/.installed
	$(BIN)/gradlab sweep $(SWEEP)

# in two processes: there are two cores nearly everywhere; these folders take as long as all else
FIRST := $(wildcard tests/[a-f]*/ tests/report/)
test: $(VENV)/.installed-dev
	$(MAKE) --no-print-directory -j 2 test-first test-second

test-first: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -p no:cacheprovider $(FIRST)

test-second: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -p no:cacheprovider $(filter-out $(FIRST),$(wildcard tests/*/)) tests/test_*.py

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -m long

test-lowest: $(LOWEST)/.installed
	$(LOWEST)/bin/python -m pytest -q $(QUICK)

test-python:
	$(MAKE) test PYTHON=$(PYTHON) VENV=.venv-$(notdir $(PYTHON))

# the page of what must not break: each fault, its test, how it ended
reliability: $(VENV)/.installed-dev
	$(BIN)/python tests/reliability.py

# N times the examples of an ordinary test run, drawn anew; the figures go to docs/reliability.md
N ?= 100
fuzz: $(VENV)/.installed-dev
	$(BIN)/python tests/reliability.py --fuzz $(N)

check: lint types test expectations

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

examples: $(EXAMPLES)

trainings: $(patsubst configs/%.yaml,results/%/summary.json,$(LONG))

# the runs themselves are those of `examples`: nothing is run twice
expectations: $(patsubst configs/%.yaml,results/%/summary.json,$(EXPECTING))
	$(BIN)/gradlab check $(EXPECTING) --results results

# what is expected must hold for the program as it is now: a change of it makes these again
$(patsubst configs/%.yaml,results/%/summary.json,$(EXPECTING)): AGAIN := --force
$(patsubst configs/%.yaml,results/%/summary.json,$(EXPECTING)): $(shell find gradlab -name '*.py')

# a result is made again when its config changes; the folder appears whole, or not at all
$(patsubst configs/%.yaml,results/%/summary.json,$(RUNS)): results/%/summary.json: configs/%.yaml | $(VENV)/.installed
	$(BIN)/gradlab run $< --results results $(AGAIN)

$(patsubst configs/%.yaml,results/%/summary.json,$(TRAINED)): results/%/summary.json: configs/%.yaml | $(VENV)/.installed
	$(BIN)/gradlab train $< --results results

$(patsubst configs/%.yaml,results/%/summary.json,$(SWEEPS)): results/%/summary.json: configs/%.yaml | $(VENV)/.installed
	$(BIN)/gradlab sweep $< --results results --force

baselines: $(VENV)/.installed-dev
	$(BIN)/python tests/report/figures/baselines.py

schema: $(VENV)/.installed
	$(BIN)/gradlab schema --out configs/gradlab.schema.json

# bundled from what charting/package-lock.json names; needed for another version alone
charting:
	$(PYTHON) charting/make.py

# docs/gallery.md, docs/figures.md and the pictures of both and of the README, from the examples
gallery: examples results/train_adding/summary.json
	$(BIN)/python docs/gallery.py --results results

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'gradlab needs Python 3.11 or later: make PYTHON=python3.x'; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[terminal]'
	touch $@

# after the other: with make -j two of them would install into one place at the same time
$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# pip is told the lowest versions; what those need themselves is the newest that fits
$(LOWEST)/.installed: pyproject.toml .ci/lowest.py
	rm -rf $(LOWEST)
	$(PYTHON) -m venv $(LOWEST)
	$(PYTHON) .ci/lowest.py > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint $(LOWEST)/constraints.txt --editable '.[terminal,keras,parquet,netcdf]' 'pytest>=9' hypothesis
	touch $@

# BENCH: workloads and options, e.g. BENCH="W2 W3 --rounds 15 --torch-python ~/torch/bin/python"
BENCH ?=
bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks $(BENCH)

# are the programs still in agreement, does the driver still run: no measurement
bench-small: $(VENV)/.installed
	$(BIN)/python -m benchmarks --small --rounds 1 --fewest 1 --out build/bench-small.md $(BENCH)

# UPDATE=1: what they take now is what later runs are held against
bench-kernels: $(VENV)/.installed-dev
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q benchmarks/test_kernels.py \
	  --benchmark-timer=time.process_time --benchmark-columns=median,iqr --benchmark-sort=fullname

curves: $(VENV)/.installed
	$(BIN)/python -m benchmarks.curves

clean:
	rm -rf $(VENV) .venv-* build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis charting/node_modules
