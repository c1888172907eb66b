# Two commands matter: `make serve` and `make test`. Both do all their own set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
PORT ?= 8000
TRACES ?= ../shared/data
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/cpu.lock

.PHONY: help serve test test-clients check bench bench-scheduler bench-honesty bench-peers docs clean

help:
	@echo "make serve [PORT=8000]   start the endpoint; Ctrl-C stops it"
	@echo "make test                the checks of make check, then all tests, the full stack included"
	@echo "make test-clients        official clients of ten kinds against a stack of its own"
	@echo "make check               format, lint, types, direction of imports"
	@echo "make bench               overhead against the engine asked directly"
	@echo "make bench-scheduler     the bid price against a clairvoyant on public traces; CPU at scale"
	@echo "make bench-honesty       the same trace on the local stack and in simulation"
	@echo "make bench-peers         vllm-router, SMG, LiteLLM and Ray Serve LLM beside Baseload"
	@echo "make docs                write docs/ and the README's figures from benchmarks/results and the code"

# One stamp per lock file: a second run installs nothing.
$(VENV)/installed: $(LOCK) pyproject.toml
	@echo "== installing pinned dependencies into $(VENV) (once; a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --no-deps --progress-bar on -r $(LOCK)
	@$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@touch $@

serve: $(VENV)/installed
	@exec $(BIN)/baseload serve --port $(PORT) --with-make

test: check
	@$(BIN)/python -m pytest --ignore=tests/stack --numprocesses=2 --dist=loadfile
	@$(BIN)/python -m pytest tests/stack
	@$(BIN)/python -m pytest tests/stack/test_layouts.py
	@$(BIN)/python -m pytest tests/stack/test_nodes.py
	@$(BIN)/python -m pytest tests/stack/test_overload.py

# Official clients, each in an environment of its own; needs Node.js beside what the rest needs.
test-clients: $(VENV)/installed
	@$(BIN)/python -m tests.clients

check: $(VENV)/installed
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/installed
	@$(BIN)/python -m benchmarks.studies.overhead

bench-scheduler: $(VENV)/installed
	@$(BIN)/python -m benchmarks.studies.scale
	@$(BIN)/python -m benchmarks.studies.optimality_gap $(TRACES)

bench-honesty: $(VENV)/installed
	@$(BIN)/python -m benchmarks.studies.sim_vs_real

bench-peers: $(VENV)/installed
	@$(BIN)/python -m benchmarks.peers

docs: $(VENV)/installed
	@$(BIN)/python -m benchmarks.documents
	@$(BIN)/python -m cluster.reference

clean:
	rm -rf $(VENV) .baseload
