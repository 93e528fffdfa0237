# The front door. `make` lists what it can do; CI runs the same targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CONSTRAINTS := -c constraints.txt

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

.PHONY: setup
setup: $(INSTALLED)  ## install everything into .venv (with uv when there is one, else with pip)

# PYTHON=/path/to/python chooses the interpreter; otherwise the first that is new enough.
$(INSTALLED): pyproject.toml constraints.txt
	@python=""; \
	for name in $${PYTHON:-python3.12 python3.11 python3.13 python3}; do \
	  if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python="$$name"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "error: Python 3.11 or newer is needed, found $$(python3 --version 2>&1 || echo none)" >&2; \
	  echo "next: install it (Debian: apt install python3 python3-venv), or: make setup PYTHON=/path/to/python3.11" >&2; \
	  exit 1; \
	fi; \
	if command -v uv >/dev/null; then \
	  [ -x $(BIN)/python ] || uv venv --quiet --python "$$(command -v "$$python")" $(VENV); \
	  uv pip install --compile-bytecode --python $(BIN)/python $(CONSTRAINTS) --editable . --group dev; \
	else \
	  [ -x $(BIN)/python ] || "$$python" -m venv $(VENV); \
	  $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'; \
	  $(BIN)/python -m pip install $(CONSTRAINTS) --editable . --group dev; \
	fi
	@touch $@

.PHONY: demo
demo: setup  ## a day of invented news and comments through the whole system, until the alert arrives
	@$(BIN)/opinion demo

.PHONY: up
up: setup  ## servers, worker, scheduler and console, until Ctrl-C
	@$(BIN)/opinion up

.PHONY: test
test: setup  ## every test, with real Kafka and PostgreSQL
	$(BIN)/pytest -n 2 --dist worksteal

.PHONY: bench
bench: setup  ## benchmarks, into var/bench; ONLY=name runs one
	$(BIN)/python -m benchmarks $(ONLY)

CHAOS = $(foreach option,SEED FAULTS DOCUMENTS NODES WORKERS AGENT,$(if $($(option)),--$(shell echo $(option) | tr A-Z a-z) $($(option))))

.PHONY: chaos
chaos: setup  ## faults on servers, workers and schedulers, and a counted verdict; SEED=7 FAULTS=50 DOCUMENTS=50000
	$(BIN)/python -m tests.chaos $(CHAOS)

.PHONY: check
check: setup  ## format, lint, types, direction of imports, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

.PHONY: docs
docs: setup  ## write the generated parts of docs/reference
	$(BIN)/python -m opinion.docs

.PHONY: constraints
constraints: setup  ## write constraints.txt from what is installed
	@$(BIN)/python .ci/constraints.py > constraints.txt.new
	@mv constraints.txt.new constraints.txt

.PHONY: clean
clean:  ## remove .venv and caches; data under var/ stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
