# Pillarbox: `make serve` runs the mail server, `make test` passes the tests. `make help` lists the rest.
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
# More than two cores have hands for: many tests wait.
JOBS ?= 5

.PHONY: help build dev serve test check bench crash oracle reference clean

help: ## list these targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

build: $(VENV)/.built ## prepare .venv with every command in .venv/bin

$(VENV)/.built: pyproject.toml uv.lock tools/bootstrap
	@tools/bootstrap --no-dev
	@touch $@

dev: $(VENV)/.dev ## the same, with the tools that tests and checks need

$(VENV)/.dev: pyproject.toml uv.lock tools/bootstrap
	@tools/bootstrap
	@touch $@ $(VENV)/.built

serve: build ## run the mail server from ./var (made on the first start)
	@exec $(VENV)/bin/pillarbox serve --data var

test: dev ## run the tests
	$(PY) -m pytest -n $(JOBS) --dist worksteal tests

check: dev ## linters, types, import contracts
	$(VENV)/bin/ruff check src tests bench
	$(VENV)/bin/ruff format --check src tests bench
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: dev ## measure against Debian's postfix and exim4 on loopback
	$(PY) -m bench

crash: dev ## kill -9 at random under load: nothing accepted may be lost
	$(PY) -m tests.process.crash

oracle: dev ## compare with the real Exim: everything written by hand, and generated strings
	$(PY) -m tests.oracle

reference: dev ## write docs/reference and docs/man from the declarations
	$(PY) -m pillarbox.app.reference docs/reference
	$(PY) -m pillarbox.cli.manual.pages docs/man

clean: ## remove what the build made (never ./var)
	rm -rf $(VENV) .cache dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis
