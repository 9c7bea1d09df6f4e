# Each target does its own set-up in .venv; a second call skips what is there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore $(BIN)/python -m pip install --quiet --no-input

.DEFAULT_GOAL := help
.PHONY: help demo test libraries lint clean

help:
	@echo "make demo    super-resolve the embedded sample into demo-output/ (base dependencies only)"
	@echo "make test    ruff, mypy and the whole test suite"
	@echo "make lint    ruff and mypy alone"
	@echo "make clean   remove results, builds and caches (not $(VENV))"
	@echo "PYTHON=python3.12 chooses the Python (3.11 or newer) that $(VENV) is made with."

demo: $(VENV)/.base
	$(BIN)/python Testing/demo.py

# A process a core, each with one thread.
test: libraries lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

# Before the long installation: what only the system's package manager can install.
libraries: $(VENV)/.made
	@$(BIN)/python Testing/Slicer/system_libraries.py

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf demo-output build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . -path ./$(VENV) -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

# Made again, with all that depends on it, when its Python is gone: after an update of the system, or moved elsewhere.
ifneq ($(shell test -x $(BIN)/python && echo there),there)
.PHONY: $(VENV)/.made
endif

$(VENV)/.made:
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "SuperResolution3D needs Python 3.11 or newer, but '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." \
	    "Choose another one, for example: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
	  echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu it comes with: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.base: $(VENV)/.made pyproject.toml
	@echo "Installing the base dependencies into $(VENV) (several minutes and gigabytes the first time)"
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.made pyproject.toml
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 14))' || { \
	  echo "The tests need Python 3.11 to 3.13 (slicer-core has no wheel for $$($(BIN)/python --version))." \
	    "Remove $(VENV) and choose another one, for example: make PYTHON=python3.12 test" >&2; exit 1; }
	@echo "Installing the test dependencies into $(VENV) (several minutes and gigabytes the first time)"
	@$(INSTALL) -e '.[test]'
	@touch $@ $(VENV)/.base
