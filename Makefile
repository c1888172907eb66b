# Two commands matter: `make serve` and `make test`. Both do all their own set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/cpu.lock

.PHONY: help serve test check bench clean

help:
	@echo "make serve [PORT=8000]   start the endpoint; Ctrl-C stops it"
	@echo "make test                all tests, the full stack included"
	@echo "make check               format, lint, types, direction of imports"
	@echo "make bench               overhead against the engine asked directly"

# One stamp per lock file: a second run installs nothing.
$(VENV)/installed: $(LOCK) pyproject.toml
	@echo "== installing pinned dependencies into $(VENV) (once; a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --no-deps --progress-bar on -r $(LOCK)
	@$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@touch $@

serve: $(VENV)/installed
	@exec $(BIN)/baseload serve --port $(PORT) --with-make

test: $(VENV)/installed
	@$(BIN)/python -m pytest

check: $(VENV)/installed
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/installed
	@$(BIN)/python -m benchmarks.overhead

clean:
	rm -rf $(VENV) .baseload
