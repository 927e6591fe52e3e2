# Every target installs what it needs into .venv and says so; `make run` installs no development tools.
# The first of these that really runs and is new enough: a name on the path may be a shim of a version manager.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
GRPCURL := .tools/grpcurl
GRPCURL_VERSION := v1.9.4
SOURCES := pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help run test test-e2e check format dev protos docs tools build clean

help: ## Print this help
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  %-12s %s\n", $$1, $$2}'

run: $(VENV)/.product ## Serve a seeded demo fleet on gRPC and REST (loopback); Ctrl-C ends it
	@PODLEDGER_STORE__DIRECTORY="$${PODLEDGER_STORE__DIRECTORY:-.demo}" exec $(BIN)/podledger serve --demo

test: $(VENV)/.dev ## Run all tests, with branch coverage
	@$(BIN)/python -m pytest -q --cov --cov-report=term:skip-covered $(TESTS)

test-e2e: $(VENV)/.dev ## Run only the tests that use the installed program and real tools
	@$(BIN)/python -m pytest -q -m e2e

check: $(VENV)/.dev ## Format, lint, types, layers, generated files, documentation
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m pytest -q -p no:cacheprovider tests/project -m "not slow"

format: $(VENV)/.dev ## Format and sort imports
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

dev: $(VENV)/.dev ## Install the product and the development tools into .venv

protos: $(VENV)/.dev ## Compile protos/ into generated/podledger_protos
	@$(BIN)/python protos/generate.py

docs: $(VENV)/.dev ## Write the generated parts of docs/
	@$(BIN)/podledger config docs > docs/configuration.md.new && mv docs/configuration.md.new docs/configuration.md

tools: $(GRPCURL) ## Build grpcurl from its Go module into .tools

build: $(VENV)/.dev ## Build the wheel into dist/
	@$(BIN)/python -m build --wheel --outdir dist .

clean: ## Remove everything that the targets made
	@rm -rf $(VENV) .tools .demo dist .coverage htmlcov .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(GRPCURL):
	@command -v go >/dev/null || { echo "make tools needs Go, which is not installed"; exit 1; }
	@echo "Building grpcurl $(GRPCURL_VERSION) from its Go module into .tools"
	@mkdir -p .tools && GOBIN=$(CURDIR)/.tools go install github.com/fullstorydev/grpcurl/cmd/grpcurl@$(GRPCURL_VERSION)

# A virtual environment needs the venv module; some systems ship Python without it.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "podledger needs Python 3.11 or newer, and none was found. Set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) 2>/dev/null \
		|| { rm -rf $(VENV); command -v uv >/dev/null && uv venv --seed --python $(PYTHON) $(VENV); } \
		|| $(PYTHON) -m virtualenv $(VENV) \
		|| { echo "Cannot create a virtual environment: install the venv module (Debian: apt install python3-venv), uv or virtualenv"; exit 1; }

$(VENV)/.product: $(SOURCES) | $(BIN)/python
	@echo "Installing podledger and what it needs to run into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(SOURCES) | $(VENV)/.product
	@echo "Installing the development tools of pyproject.toml into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@
