# Everything a developer runs. Each target makes the virtual environment that it needs.

PYTHON ?= python3
VENV := .venv
WHEEL_VENV := .venv-wheel
BIN := $(VENV)/bin
PARALLEL = --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
WORKERS ?= 4
PYTEST_ARGS ?=
BENCH_ARGS ?=
# What a wheel can break: the command, what runs it, and what the extra `fast` changes.
WHEEL_TESTS := $(addprefix ../tests/,cli e2e adapter docs transport)
# Of these, what says nothing more about a wheel than the others do.
WHEEL_IGNORED := $(addprefix --ignore-glob=../tests/,adapter/test_websockets_tests.py e2e/own_clients/* e2e/test_presets_*)

.DEFAULT_GOAL := help
# The oldest `websockets` that the drop-in and the Python API take; a path of Python's hides the newest.
OLDEST := $(shell sed -n 's/.*"websockets>=\([0-9.]*\),.*/\1/p' packaging/client/pyproject.toml)
OLDEST_PATH := build/websockets-$(OLDEST)
.PHONY: help demo test test-fast test-wheel test-oldest soak lint types imports check bench docs clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/.installed: pyproject.toml
	@echo "installing into $(VENV); this takes half a minute"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(VENV)/.fast: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,fast]'
	touch $@

demo: $(VENV)/.installed ## a demo back end, a manager on it, and messages arriving until Ctrl-C
	@$(BIN)/wscli demo

test: $(VENV)/.installed ## the tests, as installed from this checkout
	$(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

test-fast: $(VENV)/.fast ## the transport's tests with the extra `fast`
	$(BIN)/python -m pytest tests/transport $(PYTEST_ARGS)

test-wheel: ## the tests of what a wheel can break, against the built wheel with the extra `fast`
	rm -rf build dist $(WHEEL_VENV)
	$(PYTHON) -m venv $(WHEEL_VENV)
	$(WHEEL_VENV)/bin/python -m pip install --quiet --disable-pip-version-check build
	$(WHEEL_VENV)/bin/python -m build --wheel --outdir dist .
	$(WHEEL_VENV)/bin/python -m pip install --quiet --disable-pip-version-check "$$(ls dist/*.whl)[dev,fast]"
	cd $(WHEEL_VENV) && ../$(WHEEL_VENV)/bin/python -m pytest --rootdir=.. -c ../pyproject.toml $(WHEEL_TESTS) $(WHEEL_IGNORED) $(PARALLEL) $(PYTEST_ARGS)

test-oldest: $(VENV)/.installed ## the tests of the drop-in and of the Python API with the oldest `websockets` they take
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(OLDEST_PATH) websockets==$(OLDEST)
	PYTHONPATH=$(OLDEST_PATH) $(BIN)/python -c 'import websockets.version as found; assert found.version == "$(OLDEST)", found.version'
	PYTHONPATH=$(OLDEST_PATH) $(BIN)/python -m pytest tests/adapter tests/client $(PARALLEL) $(PYTEST_ARGS)

soak: $(VENV)/.fast ## the tests that take minutes
	$(BIN)/python -m pytest -m soak $(PYTEST_ARGS)

lint: $(VENV)/.installed ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.fast ## mypy --strict
	$(BIN)/mypy

imports: $(VENV)/.installed ## the layers of docs/architecture.md
	$(BIN)/lint-imports

check: lint types imports test ## all that must pass before a commit

bench: $(VENV)/.fast ## side by side with its peers, in one run
	$(BIN)/python -m bench $(BENCH_ARGS)

docs: $(VENV)/.installed ## write again what is generated in docs/
	$(BIN)/python docs/generate_states.py
	$(BIN)/python docs/generate_commands.py
	$(BIN)/python docs/generate_layers.py

clean: ## what was built
	rm -rf build dist $(VENV) $(WHEEL_VENV) .venv-servers .mypy_cache .ruff_cache .pytest_cache .hypothesis
