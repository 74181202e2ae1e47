# farm: two commands are enough: `make demo`, `make test`. Everything else is `farm --help`.

# The machine's own python3 where it is new enough, else the newest that is there; set PYTHON to choose another.
PYTHON ?= $(or $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done),python-3.11-or-later-is-missing)
FARM := .venv/bin/farm
# Test tools too: `make setup DEV=1`.
DEV ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test check docs up down clean

help: ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: ## install what is missing (it says what, first)
	@$(PYTHON) -m infra.setup $(if $(DEV),--with-dev)

demo: setup ## one real package through the whole chain, to a verified pip install
	@.venv/bin/python -P infra/demo.py

check: ## fast: format, lint, types, layers, unit tests
	@$(PYTHON) -m infra.setup --with-dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -P infra/reference.py --check
	.venv/bin/pytest -q tests/unit

test: ## everything: format, lint, types, layers, all tests with Docker, S3, Prefect and signer really running
	@$(PYTHON) -m infra.setup --with-dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -P infra/reference.py --check
	$(FARM) images build
	.venv/bin/pytest -q

docs: ## write the generated half of docs/reference
	@$(PYTHON) -m infra.setup --with-dev
	.venv/bin/python -P infra/reference.py

up: setup ## start the services
	@$(FARM) up

down: ## stop the services; data stays
	@if [ -x $(FARM) ]; then $(FARM) down; fi

clean: down ## stop the services and delete everything that was made here (.farm, .venv, caches)
	rm -rf .farm .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
