# Two commands do everything on a fresh machine: make demo, make test.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# What is measured, and how large: `make bench QUICK=` for the figures of docs/performance.md.
BENCHMARKS ?= encoding precision index milvus reindex search panorama startup serve
QUICK ?= --quick

.PHONY: demo serve test lint docs bench install browser clean

demo: $(VENV)/installed  ## index a drawn shop, ask it for a leopard phone case
	$(BIN)/ocelot demo demo

serve: demo  ## the same shop as a web page and an HTTP API
	$(BIN)/ocelot serve --db demo/shop.db

test: $(VENV)/installed-for-tests browser  ## every test
	$(BIN)/python -m pytest

lint: $(VENV)/installed-for-tests  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/installed-for-tests  ## write docs/cli.md, settings.md and api.md from the code
	$(BIN)/python docs/generate.py

bench: $(VENV)/installed-for-tests  ## every benchmark, one after the other
	@for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py $(QUICK) || exit 1; done

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[serve]'
	@touch $@

$(VENV)/installed-for-tests: $(VENV)/installed
	$(PIP) --editable '.[test]'
	@touch $@

browser:  ## the page is tested in a real one
	@sh tests/install_browser.sh

clean:
	rm -rf $(VENV) demo build dist
