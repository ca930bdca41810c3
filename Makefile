# The few commands people use. `make` lists them. Needs Python 3.11 or newer for the book's tools.

PYTHON ?= $(if $(filter Windows_NT,$(OS)),python,python3)
PORT ?= 8000
VENV ?= .venv

# EXTRAS=test and NUMPY=1.23.5 make a small environment for `make unit` on another Python or NumPy.
EXTRAS ?= dev
NUMPY ?=

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(BIN)/python
READY := $(VENV)/ready-$(EXTRAS)$(NUMPY)
BOOK_TESTS := $(wildcard tests/test_lot.py tests/test_notebooks.py tests/test_figures.py tests/test_site.py \
                         tests/test_replay.py tests/test_types.py tests/test_nbdev.py \
                         tests/test_browser.py)
UNIT_TESTS := $(filter-out $(BOOK_TESTS),$(wildcard tests/test_*.py))

.PHONY: help book test unit lab serve env export execute refresh site figures tidy lint types bench hooks clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

book: site  ## build the book: package, executed notebooks, site in _build/html
	@echo "The book is ready: open _build/html/index.html"

# The checks come first: building the book would mend a stale package or README.
test: env  ## run all tests (builds the book first; sees to a browser)
	@$(PY) -m tools.browser > /dev/null
	@$(PY) -m tools.checks
	@$(MAKE) --no-print-directory book
	$(PY) -m pytest $(ARGS)

unit: env  ## run the tests of the package alone, without the book
	$(PY) -m pytest $(UNIT_TESTS) $(ARGS)

lab: env  ## open JupyterLab with everything installed
	$(PY) -m jupyterlab

serve: book  ## show the site on http://127.0.0.1:8000 (PORT=8000)
	$(PY) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

export: env  ## compile the notebooks into dezero/ and README.md
	@echo "Exporting"
	@$(PY) -m tools.notebooks export
	@$(PY) -m tools.readme

execute: export
	@echo "Executing"
	@$(PY) -m tools.notebooks execute

site: execute
	@echo "Building the site"
	@$(PY) -m tools.site

refresh: export  ## write fresh outputs into the notebooks, and README.md
	@echo "Refreshing"
	@$(PY) -m tools.notebooks refresh
	@$(PY) -m tools.readme

figures: env  ## redraw the concept figures in images/
	$(PY) images/draw.py

tidy: env  ## clean the notebooks for a commit
	@$(PY) -m tools.notebooks clean

lint: env  ## check style: Python files, notebooks, their form and their imports
	$(PY) -m ruff check .
	$(PY) -m tools.checks

types: env  ## check types
	$(PY) -m pyright --pythonpath $(PY)

bench:  ## measure DeZero beside its peers, into benchmarks/results.md (some minutes)
	@$(MAKE) --no-print-directory env VENV=.venv-bench EXTRAS=bench
	$(subst $(VENV),.venv-bench,$(PY)) -m benchmarks $(ARGS)

hooks:  ## let git clean the notebooks of every commit
	git config core.hooksPath .githooks

clean:  ## remove what the commands made (not .venv)
	rm -rf _build build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

env: $(READY)

$(READY): settings.ini setup.py
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and '$(EXTRAS)' != 'test')" || \
	  { echo "The book's tools need Python 3.11 or newer. Name one: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Making the environment $(VENV) (a minute or two, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install -qq --upgrade pip
	@$(PY) -m pip install -qq --no-compile --config-settings editable_mode=compat --editable ".[$(EXTRAS)]" $(if $(NUMPY),numpy==$(NUMPY))
	@touch $@
