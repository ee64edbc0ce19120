# `make demo` shows an answer, `make test` checks the project; both set up what they need in .venv.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python -m

.DEFAULT_GOAL := help
.PHONY: help demo test lint fmt bench clean

help:
	@echo "make demo    install the light core, fetch the model, answer a case"
	@echo "make test    install what the tests need; lint, type-check, test"
	@echo "make lint    ruff, mypy and the direction of imports alone"
	@echo "make fmt     format the code and mend what ruff can mend"
	@echo "make bench   measure the numbers of the README (see benchmarks/)"
	@echo "make clean   remove .venv and caches of the tools; the model stays in the user's cache"

demo: $(VENV)/.core
	$(RUN) dxtrace models pull
	$(RUN) dxtrace demo

test: lint
	$(RUN) pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.dev
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(VENV)/bin/lint-imports

fmt: $(VENV)/.dev
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

bench: $(VENV)/.dev
	$(VENV)/bin/python benchmarks/answer.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# The two markers stand for "installed as pyproject.toml says": nothing is installed again until that file changes.
$(VENV)/.core: pyproject.toml | $(VENV)/.pip
	$(RUN) pip install --quiet -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.pip
	$(RUN) pip install --quiet -e '.[dev]'
	@touch $(VENV)/.core $@

$(VENV)/.pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "dxtrace needs Python 3.11 or later: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@
