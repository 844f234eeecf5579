# Suyuan: every command a person needs. `make` alone lists them.
SHELL := /bin/bash
BIN := .venv/bin
STAMP := .venv/.stamp
DEMO_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit test-all check format bench figures screenshots clean

help:  ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## create .venv with the locked dependencies (does nothing when it is current)

$(STAMP): pyproject.toml infra/constraints.txt infra/overrides.txt infra/bootstrap.sh
	@bash infra/bootstrap.sh

demo: $(STAMP)  ## ingest real documents, build features and an index, answer a question, show the proof
	@$(BIN)/suyuan demo $(DEMO_ARGS)

test: $(STAMP)  ## all tests (unit, property, integration); DIST=0 INTEGRATION_DIST=0 for one process
	@bash infra/test.sh all

test-unit: $(STAMP)  ## unit and property tests only, under a minute
	@bash infra/test.sh unit

check: $(STAMP)  ## formatter, linter, types, import contracts, spelling, dependencies
	@bash infra/check.sh

format: $(STAMP)  ## apply the formatter and safe lint fixes
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

bench: $(STAMP)  ## one benchmark: make bench NAME=features [ARGS=--quick]
	@$(BIN)/python -m benchmarks.$(NAME) $(ARGS)

figures: $(STAMP)  ## copy the measured figures from benchmarks/results into the documents
	@$(BIN)/python -m benchmarks.copy_figures

screenshots: $(STAMP)  ## pictures of the Prefect and MLflow pages of a running stack (needs Chromium)
	@$(BIN)/python -m benchmarks.screenshots

clean:  ## remove caches (state in .suyuan and the environment stay)
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
