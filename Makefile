# Breakwater. `make` alone lists the targets. Works with GNU Make 3.81 and later.

SHELL := /bin/sh
BIN := .venv/bin
PYTHON_CODE := actors cli config domain simulation storage supervisor $(wildcard ui) benchmarks tests

# Nothing is reported to anybody, and no module outside this project answers to the name of one of ours.
export RAY_USAGE_STATS_ENABLED := 0
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-runtime run test lint bench prove lock clean

help:
	@echo "Breakwater: an autonomous trading engine"
	@echo
	@echo "  make run     trade 13 years of real daily bars through the whole engine, then show the summary"
	@echo "  make test    run every test at its small size and hold the coverage gates (under 20 minutes)"
	@echo "  make lint    check style, formatting, types and the layers"
	@echo "  make bench   measure speed and size"
	@echo "  make prove   run every test at its full size, then the benchmarks (hours)"
	@echo "  make setup   make .venv and install what the other targets need; they do it by themselves"
	@echo "  make lock    resolve the dependencies anew into requirements/ (needs uv)"
	@echo "  make clean   remove .venv, caches and build products; the engine's state is kept"
	@echo
	@echo "  make setup PYTHON=/path/to/python3.12      use that Python (3.11, 3.12 or 3.13)"
	@echo "  make run ARGS='--symbols AAPL,IBM'         add options; see .venv/bin/breakwater run --help"

setup:
	@PYTHON="$(PYTHON)" requirements/install.sh dev

setup-runtime:
	@PYTHON="$(PYTHON)" requirements/install.sh runtime

run: setup-runtime
	@$(BIN)/breakwater run --fresh $(ARGS)

test: setup
	@mkdir -p build
	$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=json:build/coverage.json --cov-report=
	$(BIN)/python tests/coverage_gates.py build/coverage.json

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PYTHON_CODE)
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks

prove: setup
	BREAKWATER_PROVE=1 $(BIN)/python -m pytest --timeout=7200
	BREAKWATER_PROVE=1 $(BIN)/python -m benchmarks

lock:
	uv pip compile pyproject.toml --extra ib --extra build --universal --python-version 3.11 --only-binary :all: \
	  --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --quiet --upgrade \
	  --output-file requirements/runtime.txt
	uv pip compile pyproject.toml --extra ib --extra build --extra dev --universal --python-version 3.11 \
	  --only-binary :all: --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --quiet --upgrade \
	  --constraints requirements/runtime.txt --output-file requirements/dev.txt

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
	  .coverage .coverage.*
	find actors cli config domain simulation storage supervisor benchmarks tests $(wildcard ui) \
	  -name __pycache__ -type d -exec rm -rf {} +
