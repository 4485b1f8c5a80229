# Two commands matter: `make demo` shows the main job, `make test` proves it. Both set everything up by themselves.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: check
check: .venv/ready
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/pyright
	@$(BIN)/lint-imports --no-cache

.venv/ready: pyproject.toml
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --upgrade pip
	@$(BIN)/pip install --quiet --editable . --group dev
	@touch $@
