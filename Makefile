# Needs python3 (3.11 or newer, with venv), git and make; everything else is brought along.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON := .venv/bin/python
ARGS ?=

.PHONY: help run test lint bench manage environment

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Run everything on this machine (options: make run ARGS="--web-port 9000")
	@deploy/bootstrap.sh product && exec $(PYTHON) -m deploy.local.run $(ARGS)

manage: ## Run a management command (make manage ARGS="services")
	@deploy/bootstrap.sh product && exec $(PYTHON) -m deploy.local.dev -- $(PYTHON) manage.py $(ARGS)

test: ## Set up what tests need, check the code and run all tests
	@deploy/bootstrap.sh development
	@deploy/test/run.sh

lint: ## Check style, types, layers, templates and migrations
	@deploy/bootstrap.sh development
	@deploy/test/lint.sh

bench: ## Measure (one program: make bench ARGS="gateway"; all without ARGS)
	@deploy/bootstrap.sh development
	@deploy/test/bench.sh $(ARGS)

environment: ## Only create or update .venv
	@deploy/bootstrap.sh development
