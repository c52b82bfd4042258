# The list of commands, for people and for CI. Every target does its own set-up: python3 (3.11 or newer), make and git are enough.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
JOBS   ?= 2
ARGS   ?=

export PYTHONDONTWRITEBYTECODE =
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo run test controlplane test-controlplane check lint types format bench lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/run.done  ## run the dashboard on the embedded cluster: no cluster, no Docker, no network needed
	@$(BIN)/kubepane demo $(ARGS)

run: $(VENV)/run.done  ## run the dashboard on the current kubeconfig context (ARGS="-n shop" passes options)
	@$(BIN)/kubepane run $(ARGS)

test: $(VENV)/dev.done  ## run all tests (ARGS="-k rooms" passes options to pytest)
	@$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

controlplane: $(VENV)/dev.done  ## build the real control plane from Go modules into a cache (needs Go; nothing to do when up to date)
	@PYTHONPATH=kind $(BIN)/python -m kubepane_controlplane build

test-controlplane: $(VENV)/dev.done  ## run what needs a real control plane, on one started for it (needs Go, or what `make controlplane` has built)
	@PYTHONPATH=kind $(BIN)/python -m kubepane_controlplane build
	@PYTHONPATH=kind $(BIN)/python -m kubepane_controlplane run -- $(BIN)/python -m pytest -m controlplane -n 3 --dist loadfile $(ARGS)

check: lint types test  ## everything that CI runs: lint, types, tests

lint: $(VENV)/dev.done  ## format, lint rules, and the rules of dependency between rooms
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

types: $(VENV)/dev.done  ## mypy --strict
	@$(BIN)/mypy

format: $(VENV)/dev.done  ## write the format, and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/dev.done  ## measure speed, memory, bytes and lag; says what it skipped and why
	@$(BIN)/python benchmarks/core.py
	@$(BIN)/python benchmarks/embedded.py
	-@$(BIN)/python benchmarks/acting.py
	-@$(BIN)/python benchmarks/draining.py
	@$(BIN)/python benchmarks/compare.py $(ARGS)

lock: $(VENV)/dev.done  ## pin the packages anew from pyproject.toml (ARGS=--upgrade takes newer ones)
	@$(BIN)/python requirements/lock.py $(ARGS)

clean:  ## remove the virtual environment and everything that tools left
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find tui widgets kind tests benchmarks requirements -name __pycache__ -prune -exec rm -rf {} +

# ---- set-up: a file .done says what has been installed, so the second run starts at once

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "kubepane needs Python 3.11 or newer, and there is no '$(PYTHON)' here" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "kubepane needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.13 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' comes without venv and ensurepip. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version) …"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.done: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "installing what kubepane needs (requirements/run.txt) …"
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/dev.done: requirements/dev.txt $(VENV)/run.done
	@echo "installing what the tests need (requirements/dev.txt) …"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
