# make run    set up and run the main job        make test   set up and run the tests
# make check  lint, types, tests                 make examples   every config in configs/
# make test-slow  theory against simulations, minutes each
# make reliability  docs/reliability.md from the tests;  make fuzz  random tests for long
# make pictures  the pictures of the README, from the examples

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/rnn_exploding.yaml
SWEEPS := $(shell grep -l '^sweep:' configs/*.yaml)
RUNS := $(filter-out $(SWEEPS),$(wildcard configs/*.yaml))
EXAMPLES := $(patsubst configs/%.yaml,results/%/summary.json,$(RUNS) $(SWEEPS))

.PHONY: run test test-slow fuzz reliability check lint types examples pictures clean

run: $(VENV)/.installed
	$(BIN)/gradlab run $(CONFIG)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -m long

# the page of what must not break: each fault, its test, how it ended
reliability: $(VENV)/.installed-dev
	$(BIN)/python tests/reliability.py

# N times the examples of an ordinary test run, drawn anew; the figures go to docs/reliability.md
N ?= 100
fuzz: $(VENV)/.installed-dev
	$(BIN)/python tests/reliability.py --fuzz $(N)

check: lint types test

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

examples: $(EXAMPLES)

# a result is made again when its config changes; the folder appears whole, or not at all
$(patsubst configs/%.yaml,results/%/summary.json,$(RUNS)): results/%/summary.json: configs/%.yaml | $(VENV)/.installed
	$(BIN)/gradlab run $< --results results

$(patsubst configs/%.yaml,results/%/summary.json,$(SWEEPS)): results/%/summary.json: configs/%.yaml | $(VENV)/.installed
	$(BIN)/gradlab sweep $< --results results --force

# the pictures of the README, from the examples
pictures: examples
	for name in rnn_exploding lstm trained_lstm; do \
	  cp results/$$name/gradient_norms.png docs/images/$$name.png; done
	cp results/rnn_exploding/singular_values.png docs/images/
	cp results/layers/layer_heatmap.png docs/images/layers.png
	cp results/truncated/lag_split.png docs/images/
	cp results/phase_diagram/phase_diagram.png docs/images/
	cp results/cells_sweep/growth_rate.png docs/images/cells_sweep.png
	cp results/init_sweep/phase_diagram.png docs/images/init_sweep.png

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'gradlab needs Python 3.11 or later: make PYTHON=python3.x'; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
