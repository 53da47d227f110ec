# `make demo`, `make test` and `make check` work from a fresh checkout: they need Python 3.11 or later, make, and a
# package index that pip reaches; everything else they install into .venv, once, and again when what to install changes.

BIN := .venv/bin
INSTALLED := .venv/.installed

# The first of these that runs is taken; 3.11 leads because the lock is made with it. `make PYTHON=python3.13 test`
# chooses another.
PYTHON := python3.11 python3.12 python3.13 python3.14 python3

# Threads that wait for each other sleep, not spin: on a busy machine, spinning takes the very time that they wait for.
# Boosted trees took 34 s that way, and take 1 s this way.
export OMP_WAIT_POLICY ?= PASSIVE

# One worker for each core; a worker computes on one thread, for what the tests fit is too small to share.
WORKERS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=auto --dist=worksteal

.PHONY: help demo test check lint format style types walls docs oldest lock clean

help:
	@echo "make demo    fit, sample, evaluate and report on data that is shipped along"
	@echo "make test    every test, the examples in docstrings and documents among them"
	@echo "make check   format, lint, types, import walls, documents"
	@echo "make oldest  every test with the oldest dependencies that pyproject.toml allows"
	@echo "make lock    write constraints.txt anew, with the newest"
	@echo "make clean   remove what these have made"

demo: $(INSTALLED)
	$(BIN)/synthloom demo

test: $(INSTALLED)
	$(WORKERS)

check: lint docs

lint: format style types walls

format: $(INSTALLED)
	$(BIN)/ruff format --check .

style: $(INSTALLED)
	$(BIN)/ruff check .

types: $(INSTALLED)
	$(BIN)/mypy

walls: $(INSTALLED)
	$(BIN)/lint-imports

docs: $(INSTALLED)
	$(WORKERS) tests/test_docs.py

# $(call environment,FOLDER): a Python of its own. A candidate must run, not just be there: version managers leave stubs
# on the path that only say what is missing.
define environment
	@for python in $(PYTHON) ""; do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	done; \
	test -n "$$python" || { echo "synthloom needs Python 3.11 or later, however: none of $(PYTHON) is; say where one is: make PYTHON=..." >&2; exit 1; }; \
	echo "$$python -m venv $(1)"; "$$python" -m venv $(1)
endef

# torch comes first and alone, which leaves pip one simple choice: of equal versions the one with a label wins, so that
# CPU builds (2.13.0+cpu) from an index or folder that pip is configured with go before the plain build, which on Linux
# brings gigabytes of CUDA. What follows finds torch in place. The lock names neither a label nor a CUDA package, and so
# holds with either build.
$(INSTALLED): pyproject.toml constraints.txt
	$(call environment,.venv)
	$(BIN)/python -m pip install --constraint constraints.txt torch
	$(BIN)/python -m pip install --constraint constraints.txt --editable ".[dev]"
	@touch $@

# A lower bound is a claim, and this tests it. torch alone is the locked one, whose CPU build is at hand.
oldest:
	rm -rf .venv-oldest
	$(call environment,.venv-oldest)
	.venv-oldest/bin/python -m pip install --constraint constraints.txt torch
	sed -n '/^dependencies/,/^]/ { /"torch/ !s/.*"\([a-z0-9-]*\)>=\([0-9.]*\).*/\1==\2.*/p; }' pyproject.toml > .venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --constraint .venv-oldest/constraints.txt --editable ".[dev]"
	.venv-oldest/bin/python -m pytest

# torch stays at the version in the lock: to raise it, change its line there and run this.
lock:
	rm -rf build/lock
	$(call environment,build/lock)
	build/lock/bin/python -m pip install "$$(grep '^torch==' constraints.txt)"
	build/lock/bin/python -m pip install ".[dev]"
	{ grep '^#' constraints.txt; build/lock/bin/python -m pip freeze --exclude synthloom \
	  | sed 's/+cpu$$//' | grep -v -i -E '^(nvidia|cuda|triton)'; } > build/constraints.txt
	mv build/constraints.txt constraints.txt

clean:
	rm -rf .venv .venv-oldest build dist synthloom-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
