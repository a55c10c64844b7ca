# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PAGE := faceveil/review/static/index.html
MODULES := web/node_modules/.ready
# Each process takes half of the tests in their order, so that what a module needs is made once; the
# first that is done takes some of the other's.
TWO_AT_A_TIME := -n 2 --dist worksteal
NPM := PATH="$(abspath $(BIN)):$$PATH" npm --prefix web --silent

.PHONY: setup demo test fast lint docs lock page weights benchmarks pipeline checkov clean

setup: $(READY) page

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "faceveil needs Python 3.11 or newer: set PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# The pages of `faceveil review` and `faceveil live`, built by the node that a wheel of the development extra brings.
page: $(PAGE)

$(PAGE): web/build.mjs web/package.json $(wildcard web/src/*) $(wildcard web/src/live/*) $(MODULES)
	$(NPM) run build

$(MODULES): web/package-lock.json web/.npmrc | $(READY)
	$(NPM) ci --ignore-scripts
	@touch $@

weights: $(READY)
	$(BIN)/faceveil weights fetch

demo: weights page
	$(BIN)/python scripts/demo.py

lint: $(READY) $(MODULES)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(NPM) run lint

test: lint weights page
	$(BIN)/python -m pytest $(TWO_AT_A_TIME)

fast: $(READY) page
	$(BIN)/python -m pytest $(TWO_AT_A_TIME) --fast

# The documentation as a site in build/docs/, with warnings as errors.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The event-driven pipeline, whole, on this machine: S3, server, functions, Batch.
pipeline: weights
	$(BIN)/python scripts/pipeline.py

# Checks terraform/; too heavy for the environment of the tests.
checkov:
	$(PYTHON) -m venv build/checkov
	build/checkov/bin/pip install --quiet --disable-pip-version-check checkov==3.3.30
	build/checkov/bin/checkov -d terraform --skip-download --framework terraform --compact --quiet

benchmarks: weights
	$(BIN)/python -m benchmarks

lock: $(READY)
	$(BIN)/python -m pip install --quiet pip-tools
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --all-extras --generate-hashes \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras \
	  --allow-unsafe --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) build web/node_modules faceveil/review/static faceveil/live/static .mypy_cache .ruff_cache .pytest_cache
	rm -f demo/*.mp4 demo/*.png demo/*.jpg
