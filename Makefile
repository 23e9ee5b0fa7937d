# Every command a newcomer needs. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help demo demo-reset test tryton faults bench bench-matching lint format services stop requirements
PYTHON_BIN := .venv/bin/python
WORKERS ?= 5

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: ## the whole hub with data in it, on http://127.0.0.1:8000 (PORT=… for another port); Ctrl-C stops it
	@requirements/install demo && exec $(PYTHON_BIN) -m mdm.demo

demo-reset: ## throw the demo's data away and start afresh
	@requirements/install demo && exec $(PYTHON_BIN) -m mdm.demo --reset

test: ## every test, on its own database and Redis (ARGS="-k bank" to choose)
	@requirements/install dev && $(PYTHON_BIN) -m tests.chromium && exec $(PYTHON_BIN) -m pytest -n $(WORKERS) $(ARGS)

tryton: ## real Tryton ERP: push, change, drift (installs it into var/tryton-venv)
	@requirements/install dev && requirements/install tryton && exec $(PYTHON_BIN) -m pytest -n 0 -m tryton tests/sync/tryton $(ARGS)

faults: ## kill, flush, crash and starve a whole hub at random, and judge it (ARGS="--pushes 20000 --seed 7"; --short)
	@requirements/install dev && exec $(PYTHON_BIN) -m tests.faults $(ARGS)

bench: ## throughput, each figure as a ratio to a limit measured in the same run
	@requirements/install dev && exec $(PYTHON_BIN) -m tests.bench $(ARGS)

bench-matching: ## our matching beside other engines on the same files (ARGS="--records 1000000 --only generated")
	@requirements/install dev && requirements/install bench && exec $(PYTHON_BIN) -m tests.bench.matching $(ARGS)

lint: ## style, types, import rules, migrations, deployment check, OpenAPI, templates
	@requirements/install dev && exec $(PYTHON_BIN) -m tests.static_checks

format: ## let ruff put the code in order
	@requirements/install dev && $(PYTHON_BIN) -m ruff check --fix . && $(PYTHON_BIN) -m ruff format .

services: ## only PostgreSQL and Redis, for work with manage.py
	@requirements/install demo && exec $(PYTHON_BIN) -m mdm.embedded start

stop: ## stop what `make services` started
	@exec $(PYTHON_BIN) -m mdm.embedded stop

requirements: ## pin requirements/*.in anew
	@requirements/lock
