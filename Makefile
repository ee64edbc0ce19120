# `make demo` shows an answer, `make check` and `make test` check the project; each sets up what it needs in .venv.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python -m

.DEFAULT_GOAL := help
.PHONY: help demo check test lint fmt docs build bench clean

help:
	@echo "make demo    install the light core, fetch the model, answer a case"
	@echo "make check   lint, type-check, and run the quick tests: before every commit"
	@echo "make test    all tests: models, training, browsers; before a change is merged"
	@echo "make lint    ruff, mypy and the direction of imports alone"
	@echo "make fmt     format the code and mend what ruff can mend"
	@echo "make docs    build the documentation into site/"
	@echo "make build   build wheel and sdist into dist/ and check them"
	@echo "make bench   measure how long an answer takes (see benchmarks/)"
	@echo "make clean   remove .venv, what was built, caches of the tools; the model stays in the user's cache"

demo: $(VENV)/.core
	$(RUN) dxtrace models pull
	$(RUN) dxtrace demo

check: lint
	$(RUN) pytest -m "not slow" -n 2

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

docs: $(VENV)/.docs
	$(RUN) mkdocs build --strict

build: $(VENV)/.dev
	rm -rf dist
	$(RUN) build
	$(RUN) twine check --strict dist/*

bench: $(VENV)/.dev
	$(VENV)/bin/python benchmarks/answer.py

clean:
	rm -rf $(VENV) dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# The markers stand for "installed as pyproject.toml says": nothing is installed again until that file changes.
$(VENV)/.core: pyproject.toml | $(VENV)/.pip
	$(RUN) pip install --quiet -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.pip
	$(RUN) pip install --quiet -e '.[dev]'
	@touch $(VENV)/.core $@

$(VENV)/.docs: pyproject.toml | $(VENV)/.pip
	$(RUN) pip install --quiet -e '.[docs]'
	@touch $(VENV)/.core $@

$(VENV)/.pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "dxtrace needs Python 3.11 or later: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@
