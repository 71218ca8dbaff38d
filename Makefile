# Each target sets up what it needs from python3, make and a package registry.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The hash-locked set; wheels only, so that nothing is built and no compiler is needed.
SYNC := $(BIN)/uv pip sync --quiet --require-hashes --only-binary :all: --compile-bytecode
INSTALL := $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .

.PHONY: demo test lint lint-sql lint-python ui docs lock clean

demo: $(VENV)/.runtime
	$(BIN)/arvo demo

docs: $(VENV)/.dev
	$(BIN)/python -m orchestration.marts_page
	$(BIN)/python -m tests.faults

ui: $(VENV)/.runtime
	$(BIN)/arvo ui

test: $(VENV)/.dev lint
	$(BIN)/pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory -j2 lint-sql lint-python

lint-sql:
	$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar dbt_project/models dbt_project/tests

lint-python:
	$(BIN)/mypy
	$(BIN)/dagster definitions validate -w workspace.yaml --log-level warning

# Exact versions with hashes and no index addresses: a company's mirror serves as well.
lock: $(BIN)/uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra build --extra dev pyproject.toml -o requirements/dev.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra build -c requirements/dev.lock pyproject.toml -o requirements/runtime.lock

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv

# The test environment holds the runtime one: a checkout that has it needs nothing more.
$(VENV)/.runtime: requirements/runtime.lock pyproject.toml $(BIN)/uv
	test -e $(VENV)/.dev || $(SYNC) requirements/runtime.lock
	test -e $(VENV)/.dev || $(INSTALL)
	touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml $(BIN)/uv
	$(SYNC) requirements/dev.lock
	$(INSTALL)
	touch $@

clean:
	rm -rf $(VENV) dbt_project/target dbt_project/logs
