# Everything emergelab needs lies in .venv, which the targets make and keep up to date by themselves.
# Needed beforehand: Python 3.11 or newer, make and a C compiler.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SIZE ?= quick
# one worker a core; PYTEST_ARGS= runs them one after the other
PYTEST_ARGS ?= -n auto --dist worksteal
BENCH_ARGS ?=
FAULTS ?= 200
EXAMPLES ?= 2000
INSTRUMENTS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test lint contracts types docs bench calibrate verify faults fuzz clean distclean

help:
	@echo "make demo       run the sorting study at quick size into runs/demo"
	@echo "make test       run the tests"
	@echo "make lint       ruff, and the contracts on who may import whom"
	@echo "make types      mypy"
	@echo "make docs       build the documentation into site/"
	@echo "make bench      measure emergelab against its peers (installs PyTorch and Mesa)"
	@echo "make calibrate  measure false alarms and power of the instruments again (hours; INSTRUMENTS='onset mirage' for some)"
	@echo "make verify     judge the claims of every study (SIZE=tiny|quick|full|paper, default quick)"
	@echo "make faults     kill runs, fill disks, damage checkpoints, break endpoints (FAULTS=200, minutes)"
	@echo "make fuzz       hostile files for every reader (EXAMPLES=2000, minutes)"
	@echo "make clean      remove caches and built pages; make distclean also removes .venv"

# --- the environment: one stamp a set of packages, redone when pyproject.toml or constraints.txt change ---

$(VENV)/.made:
	@command -v "$(PYTHON)" >/dev/null || { echo "make: no '$(PYTHON)' found; name a Python 3.11 or newer, e.g. make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: emergelab needs Python 3.11 or newer, but '$(PYTHON)' is `"$(PYTHON)" -V 2>&1`; name a newer one, e.g. make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@echo "setting up $(VENV) with `"$(PYTHON)" -V 2>&1`"
	@"$(PYTHON)" -m venv $(VENV) || { echo "make: '$(PYTHON)' cannot make a virtual environment; on Debian and Ubuntu install python3-venv" >&2; exit 2; }
	@touch $@

# The build backends come from the constraints too, so that two set-ups of the same commit are equal: our own, and the one
# of packages that are published as source only (vendi-score), which an older setuptools cannot build without wheel.
$(VENV)/.core: $(VENV)/.made pyproject.toml constraints.txt
	@echo "installing emergelab (first time: a few minutes)"
	@$(PIP) install -c constraints.txt hatchling editables setuptools wheel
	@$(PIP) install -c constraints.txt --no-build-isolation -e .
	@touch $@

$(VENV)/.test $(VENV)/.dev $(VENV)/.docs $(VENV)/.bench: $(VENV)/.%: $(VENV)/.core
	@echo "installing what 'emergelab[$*]' needs"
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[$*]'
	@touch $@

# --- what there is to do ---

demo: $(VENV)/.core
	@rm -rf runs/demo
	$(BIN)/emergelab run sorting --size quick --out runs/demo

test: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.dev contracts
	$(BIN)/ruff check .

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open site/index.html; to search it, serve it: $(BIN)/python -m http.server -d site"

bench: $(VENV)/.bench $(VENV)/.test
	$(BIN)/python benchmarks/engine.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/instruments.py
	$(BIN)/python benchmarks/populations.py
	$(BIN)/python benchmarks/growth.py

calibrate: $(VENV)/.test
	$(BIN)/python benchmarks/calibrate.py $(INSTRUMENTS)

verify: $(VENV)/.core
	$(BIN)/emergelab verify --all --size $(SIZE)

faults: $(VENV)/.test
	$(BIN)/python -m tests.faults.rig --faults $(FAULTS)

fuzz: $(VENV)/.test
	$(BIN)/python -m tests.fuzz --examples $(EXAMPLES)

clean:
	rm -rf site build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
