# `make help` lists what there is. Everything lives in .venv and var; nothing else on the machine is touched,
# except by `make test` and LAB=real as root on Debian, which install what they say they miss (SYSTEM=no: never).

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/uv/bin/uv
LAB ?= simulated
SYSTEM ?= yes
JOBS ?= auto

export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
export PYTHONUNBUFFERED := 1
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 - /p' Makefile

# ---- run ----

.PHONY: demo run
demo: packages lab-needs ## the whole story in front of you; AUTO=1 plays your part too, LAB=real uses real hosts
	@exec $(BIN)/python -m config.demo $(if $(AUTO),--auto) --lab $(LAB)

run: packages ## web, workers and clock on the embedded parts, or on DATABASE_URL and BROKER_URL; PORT=8000
	@exec $(BIN)/python -m config.launch

# ---- test ----

.PHONY: test test-needs lab-needs lint format style types imports migrations templates pytest
test: test-needs lint pytest ## everything that CI runs

lint: style types imports migrations templates ## everything that CI runs, except the tests

style: $(VENV)/development.stamp ## rules and layout of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# From an old cache the plugin for Django can lose managers: an error counts only without one.
types: $(VENV)/development.stamp ## types
	$(BIN)/mypy . || { rm -rf .mypy_cache && $(BIN)/mypy .; }

imports: $(VENV)/development.stamp ## who may import whom
	$(BIN)/lint-imports

migrations: $(VENV)/development.stamp ## models without a migration
	$(BIN)/python -m config.embedded manage.py makemigrations --check --dry-run

templates: $(VENV)/development.stamp ## layout of the templates
	@find templates -name '*.html' -exec $(BIN)/djade --target-version 5.2 --check {} +

pytest: $(VENV)/development.stamp ## the tests; JOBS=1 for one process
	$(BIN)/pytest $(if $(filter 1,$(JOBS)),,--numprocesses $(JOBS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder)

format: $(VENV)/development.stamp ## put code and templates into their layout
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	@find templates -name '*.html' -exec $(BIN)/djade --target-version 5.2 {} + || true

test-needs:
	@SYSTEM=$(SYSTEM) .ci/needs test

lab-needs:
	@[ "$(LAB)" != real ] || SYSTEM=$(SYSTEM) .ci/needs lab

# ---- look ----

.PHONY: gallery
gallery: $(VENV)/development.stamp ## pictures of every page, desk and phone, light and dark, in var/gallery
	@$(BIN)/python -m config.embedded -m tests.journeys.gallery

# ---- measure ----

.PHONY: bench-correlation bench-demo bench-ingest bench-migration bench-pages bench-watch
bench-correlation: $(VENV)/development.stamp ## how well causes are named on simulated fleets; SCENARIO=, HOSTS=, SEEDS=, QUICK=1
	@$(BIN)/python -m benchmarks.correlation $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(HOSTS),--hosts $(HOSTS)) \
		$(if $(SEEDS),--seeds $(SEEDS)) $(if $(QUICK),--quick)

bench-demo: packages lab-needs ## the automatic demo's time to its address and its memory; LAB=real for real hosts
	@$(BIN)/python -m benchmarks.demo --lab $(LAB)

bench-migration: $(VENV)/development.stamp ## makespan of a migration against its lower bound; DYNOS=40
	@$(BIN)/python -m benchmarks.migration $(if $(DYNOS),--dynos $(DYNOS))

bench-pages: $(VENV)/development.stamp ## server time and queries of the pages; 1,000 hosts and 5 million crashes stored
	@$(BIN)/python -m benchmarks.pages

bench-watch: $(VENV)/development.stamp ## the watch at 10,000 hosts: ticks, an hour caught up; HOSTS=10000
	@$(BIN)/python -m benchmarks.watch $(if $(HOSTS),--hosts $(HOSTS))

bench-ingest: $(VENV)/development.stamp ## crash events a second over HTTP by one web process; EVENTS=1000000
	@$(BIN)/python -m benchmarks.ingest $(if $(EVENTS),--events $(EVENTS))

# ---- set-up ----

.PHONY: packages develop lock secrets clean
# What a newcomer's demo needs; where the tools of development are there already, these hold it too.
ifeq ($(wildcard $(VENV)/development.stamp),)
packages: $(VENV)/demo.stamp
else
packages: $(VENV)/development.stamp
endif

develop: $(VENV)/development.stamp ## install what development needs

lock: $(VENV)/development.stamp ## write the locks anew; UPGRADE=1 takes the newest versions
	@compile() { $(UV) pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 $(if $(UPGRADE),--upgrade) pyproject.toml "$$@" >/dev/null; }; \
	compile --output-file requirements/production.txt && \
	compile --extra embedded --output-file requirements/demo.txt && \
	compile --extra embedded --group dev --output-file requirements/development.txt
	@git --no-pager diff --stat -- requirements

secrets: ## make the secrets that docker-compose.yml mounts
	@config/launch/secrets.sh secrets

clean: ## remove everything that make made
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/demo.stamp: requirements/demo.txt $(VENV)/uv.stamp
	@.ci/install demo

$(VENV)/development.stamp: requirements/development.txt $(VENV)/uv.stamp
	@.ci/install development

$(VENV)/uv.stamp: .ci/bootstrap
	@.ci/bootstrap
