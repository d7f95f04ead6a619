# make run    set up and run the main job        make test   set up and run the tests
# make check  lint, types, tests                 make examples   every config in configs/

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/rnn_exploding.yaml
EXAMPLES := $(patsubst configs/%.yaml,results/%/summary.json,$(wildcard configs/*.yaml))

.PHONY: run test check lint types examples clean

run: $(VENV)/.installed
	$(BIN)/gradlab run $(CONFIG)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q

check: lint types test

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

examples: $(EXAMPLES)

# a result is made again when its config changes; the folder appears whole, or not at all
results/%/summary.json: configs/%.yaml | $(VENV)/.installed
	$(BIN)/gradlab run $< --results results

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
