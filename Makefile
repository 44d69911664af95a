# Needs make and Python 3.11 or newer, nothing else: each target creates .venv and installs what it uses there.
# A stamp file in .venv remembers what is installed, so that later calls start at once.

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
RUN := $(VENV)/bin/python
INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check --no-input

.PHONY: demo test check format clean

demo: $(VENV)/.installed-demo
	$(RUN) -m zerograd demo

# Programs mean the same on the native engine: these tests run on it too. The others (engines, passes, cli, docs) choose
# their engines themselves.
NATIVE := $(addprefix tests/,autograd core data errors examples nn ops optim program runtime serialization tensor)
TESTS := OMP_NUM_THREADS=1 ZEROGRAD_ENGINE=native $(RUN) -m pytest -n $(WORKERS) $(NATIVE) && \
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(WORKERS)

test: $(VENV)/.installed-check
	$(TESTS)

check: $(VENV)/.installed-check
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/pyright --warnings
	$(TESTS)

format: $(VENV)/.installed-check
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "zerograd needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: pyproject.toml | $(VENV)/bin/python
	$(INSTALL) --editable ".[plot]"
	@touch $@

$(VENV)/.installed-check: pyproject.toml | $(VENV)/bin/python
	$(INSTALL) --editable ".[plot,test,dev]"
	@touch $@ $(VENV)/.installed-demo
