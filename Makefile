# make demo   everything installed, two weeks of an assistant simulated, measured and served
# make test   every test that is fast
# make check  format, types, import order, and the tests of the last second: before each commit
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: setup demo test check lint clients slow clean
setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "assay needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[server,embeddings]' --group dev
	touch $@

demo: setup
	$(BIN)/python -m assay.demo $(ARGS)

test: setup
	$(BIN)/python -m pytest -m 'not slow and not browser and not postgres' -n 2 --dist loadfile $(ARGS)

# the packages whose traffic the slow tests take in, in an environment of their own; those tests are skipped without
clients: setup
	$(BIN)/python tests/clients/environment.py

slow: setup
	$(BIN)/python -m pytest -m 'slow or browser or postgres' -n 2 --dist loadfile $(ARGS)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(BIN)/python -m pytest -m 'not slow and not browser and not postgres' -n 2 --dist loadfile -q $(ARGS)

clean:
	rm -rf $(VENV) $(VENV)-clients demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
