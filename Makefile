# `make demo` and `make test` work on a bare Debian/Ubuntu with python3 and make: each sets up its own .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo test lint help clean
help:
	@echo "make demo   clean a small embedded data set and write its report: the whole job in about a minute"
	@echo "make test   lint and run all tests (what CI runs)"
	@echo "make clean  remove .venv and what make demo wrote"

demo: $(VENV)/demo-ready
	$(BIN)/curate demo --data demo/landscapes --work demo/work --out demo/manifests

test: $(VENV)/test-ready lint
	$(BIN)/python -m pytest

lint: $(VENV)/test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(BIN)/python:
	@PYTHON="$(PYTHON)" ./scripts/make_venv.sh $(VENV)

$(VENV)/demo-ready: pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) ..."
	$(PIP) install -e .
	@touch $@

$(VENV)/test-ready: pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) ..."
	$(PIP) install -e '.[dev]'
	@touch $@ $(VENV)/demo-ready

clean:
	rm -rf $(VENV) demo/landscapes demo/work demo/manifests
