# Two commands do everything on a fresh machine: make demo, make test.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# pip refuses files whose hashes are not in constraints.txt. The option lets it take this folder,
# which has no hash.
LOCKED := $(PIP) --no-require-hashes --constraint constraints.txt --build-constraint constraints.txt
# PyTorch's CPU build for Linux on x86-64 and CPython 3.11. PyPI has the one with CUDA, which is
# several gigabytes: the CPU build is taken where pip finds it at hand (PIP_FIND_LINKS).
TORCH := torch==2.13.0
TORCH_CPU := sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b

# What is measured, and how large: `make bench QUICK=` for the figures of docs/performance.md.
BENCHMARKS ?= encoding precision index milvus reindex scale search queries panorama startup serve
QUICK ?= --quick

.PHONY: demo serve test test-faults lint docs bench install lock browser clean

demo: $(VENV)/installed  ## index a drawn shop, ask it for a leopard phone case
	$(BIN)/ocelot demo demo

serve: demo  ## the same shop as a web page and an HTTP API
	$(BIN)/ocelot serve --db demo/shop.db

test: $(VENV)/installed-for-tests browser  ## every test
	$(BIN)/python -m pytest --numprocesses 2

test-faults: $(VENV)/installed-for-tests  ## kills, full disks, hostile input: docs/reliability.md
	$(BIN)/python -m tests.faults --write

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
	@# An older pip does not check the hashes of constraints.
	@sed -n '/^pip==/,/[^\\]$$/p' constraints.txt > $(VENV)/pip.txt
	$(PIP) --require-hashes --requirement $(VENV)/pip.txt
	@echo '$(TORCH) --hash=$(TORCH_CPU)' > $(VENV)/torch.txt
	@$(PIP) --no-index --no-deps --requirement $(VENV)/torch.txt 2> /dev/null || true
	$(LOCKED) --editable '.[serve]'
	@touch $@

$(VENV)/installed-for-tests: $(VENV)/installed
	$(LOCKED) --editable '.[test]'
	@touch $@

lock: $(VENV)/installed  ## write constraints.txt; `make lock UPGRADE=--upgrade` for newer versions
	$(PIP) uv
	printf 'pip\nhatchling\neditables\n' | $(BIN)/uv pip compile pyproject.toml - --all-extras \
		--universal --python-version 3.10 --generate-hashes --no-annotate --quiet \
		--custom-compile-command 'make lock' $(UPGRADE) --output-file constraints.txt
	grep -v $(TORCH_CPU) constraints.txt > $(VENV)/lock.txt
	awk '{ print } /^$(TORCH) / { print "    --hash=$(TORCH_CPU) \\" }' $(VENV)/lock.txt > constraints.txt

browser:  ## the page is tested in a real one
	@sh tests/install_browser.sh

clean:
	rm -rf $(VENV) demo build dist
