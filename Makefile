# Neuroloom: `make demo` and `make test` set everything up themselves; `make check` adds lint, types and layers.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
TORCH ?= -r requirements/torch.txt
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
REQUIRE ?=
PYTEST_ARGS ?= -n 2 --dist loadfile
TESTED := .pytest_cache/exit
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test again check lint types layers bench lock clean help

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make demo    set up, train on examples/penguins.csv, deploy, ask the endpoint one real row
demo: $(STAMP)
	@$(BIN)/python -P examples/demo.py

## make test    set up, lint, check types and layers, run every test (REQUIRE=all: an absent tool is a failure)
test: $(STAMP)
	@rm -f $(TESTED)
	@$(MAKE) --no-print-directory check VENV=$(VENV)

check: lint types layers
	@mkdir -p $(dir $(TESTED))
	REQUIRE=$(REQUIRE) $(BIN)/pytest $(PYTEST_ARGS); code=$$?; echo $$code >$(TESTED); exit $$code

## make again   after `make test`: run the tests that failed once more, alone (docs/decisions/tests.md)
again: $(STAMP)
	@REQUIRE=$(REQUIRE) $(BIN)/python -P -m tests.again

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports

## make bench   run every benchmark and rewrite benchmarks/RESULTS.md (some read data that a clone does not hold, and say so)
bench: $(STAMP)
	$(BIN)/python -P -m benchmarks

## make lock    resolve requirements/lock.txt anew (torch stays apart, see requirements/torch.txt)
lock: $(STAMP)
	$(BIN)/uv pip compile pyproject.toml --extra zstd --group dev --universal --python-version 3.11 \
	  --override requirements/without-torch.txt --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate -o requirements/lock.txt

$(STAMP): requirements/torch.txt requirements/lock.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python found: install Python 3.11 or 3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info[:2] <= (3, 12); \
	  sys.exit(0 if ok else "Python 3.11 or 3.12 is needed, $(PYTHON) is " + sys.version.split()[0] + "; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/lock.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

## make clean   remove the environment and caches (never a workspace's neural/ folder)
clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
