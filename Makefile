# Two commands matter: `make demo` shows the main job, `make test` proves it. Both set everything up by themselves.
SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

BIN := .venv/bin
LANGGRAPH := .venvs/langgraph
# Twice quiet: errors are shown, remarks about where packages come from are not.
INSTALL := -m pip install -qq --no-input
# The first Python here that is new enough; another one by `make PYTHON=/path/to/python test`.
PYTHON ?= $(firstword $(foreach name,python3 python3.11 python3.12 python3.13 python3.14,$(shell \
	$(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))

.PHONY: help
help: ## What there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{printf "make %-10s %s\n", $$1, $$2}'

.PHONY: demo
demo: .venv/ready $(LANGGRAPH)/ready tryton ## The main job against a real ERP; ARGS=--unattended ends by itself
	@$(BIN)/toolhub demo $(ARGS)

.PHONY: test
test: check $(LANGGRAPH)/ready tryton ## The gates, then every test on SQLite and PostgreSQL; ARGS go to pytest
	@.ci/install-chromium
	@echo "tests: SQLite, PostgreSQL, Chromium, Tryton and LangGraph"
	@$(BIN)/pytest -m "not more" --ignore tests/architecture --numprocesses 2 --dist worksteal $(ARGS) # they are gates

.PHONY: test-more
test-more: .venv/ready $(LANGGRAPH)/ready tryton clients ## The tests that take minutes
	@$(BIN)/pytest -m more --collect-only -qq >/dev/null 2>&1; case $$? in \
		5) echo "test-more: no test is marked 'more'" ;; \
		*) $(BIN)/pytest -m more --numprocesses 2 --dist worksteal $(ARGS) ;; \
	esac

.PHONY: check
check: .venv/ready ## The gates: format, lint, types, layers, house rules
	@echo "gates: format and lint"
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@echo "gates: types, by mypy and by pyright"
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/pyright
	@echo "gates: layers and house rules"
	@$(BIN)/lint-imports --no-cache >.venv/layers 2>&1 || { cat .venv/layers; exit 1; }
	@$(BIN)/pytest tests/architecture -qq

.PHONY: bench
bench: .venv/ready ## Speed beside an ungoverned proxy, and what confinement and governance cost; JSON=file writes the first figures too
	@$(BIN)/python -m benchmarks $(if $(JSON),--json "$(JSON)")
	@$(BIN)/python -m benchmarks.confined
	@$(BIN)/python -m benchmarks.governance
	@$(BIN)/python -m benchmarks.catalog

.PHONY: matrix
matrix: clients ## What eight MCP clients do at a hub, written into the README; ARGS name some of them
	@$(BIN)/python -m clients $(ARGS)

.PHONY: run
run: .venv/ready ## The hub on this machine, with its data in var/; ARGS go to `toolhub serve`
	@$(BIN)/toolhub serve $(ARGS)

.PHONY: clean
clean: ## Remove what was installed or cached here, never the data in var/
	@rm -rf .venv .venvs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ------------------------------------------------------------------------------------------------- environments
.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found on the PATH." >&2; exit 1; }

.venv/ready: constraints/hub.txt pyproject.toml | python
	@echo ".venv: the hub and its tools (about a minute, the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python $(INSTALL) --constraint constraints/hub.txt pip hatchling editables
	@$(BIN)/python $(INSTALL) --constraint constraints/hub.txt --no-build-isolation --editable . --group dev
	@touch $@

$(LANGGRAPH)/ready: constraints/langgraph.txt | python
	@echo "$(LANGGRAPH): an agent framework that needs an older mcp than the hub"
	@test -x $(LANGGRAPH)/bin/python || $(PYTHON) -m venv $(LANGGRAPH)
	@$(LANGGRAPH)/bin/python $(INSTALL) --constraint $< pip langgraph langchain langchain-mcp-adapters
	@touch $@

.PHONY: tryton
tryton: .venv/ready
	@$(BIN)/python -c 'from pathlib import Path; from connectors.tryton_server import install; install(Path(".venvs"), print)'

.PHONY: clients
clients: .venv/ready $(LANGGRAPH)/ready
	@$(BIN)/python -m clients.installation
