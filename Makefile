# Kyōdō Ledger. `make demo` and `make test` do their own set-up; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench soak lock clean

help:            ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## */  make \1\t/' | expand -t 16

setup: $(VENV)/.installed   ## the environment with what the service needs

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11; name a newer one with: make PYTHON=..." >&2; exit 1; }
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml $(VENV)/bin/python
	@echo "installing the locked packages (about a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.developed: requirements-dev.lock $(VENV)/.installed
	@echo "installing the locked development packages"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: setup      ## five cities, their cases, portal and GraphQL on http://127.0.0.1:8000
	@exec $(BIN)/kyodo demo

test: $(VENV)/.developed    ## the whole suite, on the embedded PostgreSQL or on KYODO_TEST_DATABASE_URL
	$(BIN)/python -m pytest -m "not soak" -n 3 --dist loadscope --no-loadscope-reorder

check: $(VENV)/.developed   ## what CI checks beside the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

bench: $(VENV)/.developed   ## the measures of the README, as a table and bench.json
	$(BIN)/python -m tests.benchmarks

soak: $(VENV)/.developed    ## the long drills, bounded in time
	$(BIN)/python -m pytest -m soak -s

lock: $(VENV)/.developed    ## renew the lock files after a change of pyproject.toml (needs uv)
	uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate --upgrade -q -o requirements.lock
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate --upgrade -q -o requirements-dev.lock

clean:           ## remove the environment and caches, never the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
