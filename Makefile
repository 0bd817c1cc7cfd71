# `make demo` and `make test` work on a bare Debian/Ubuntu with python3 and make: each sets up its own .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
comma := ,
# Jittor runs on Python 3.10 to 3.12; asked when it is needed, for .venv is made by this Makefile
TRAINS = $(shell $(BIN)/python -c 'import sys; print("yes" if sys.version_info < (3, 13) else "")')

.PHONY: demo review test lint help clean
help:
	@echo "make demo   clean a small embedded data set, write its report, train a tiny generator on it"
	@echo "make review open the demo data set in a browser, to decide about its pairs"
	@echo "make test   lint and run all tests (what CI runs)"
	@echo "make clean  remove .venv and what make demo wrote"

demo: $(VENV)/demo-ready
	$(BIN)/curate demo --data demo/landscapes --work demo/work --out demo/manifests
	@./scripts/demo_training.sh $(BIN)

review: $(VENV)/review-ready
	$(BIN)/streamlit run app/review.py

test: $(VENV)/test-ready lint
	$(BIN)/python -m pytest

lint: $(VENV)/test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(BIN)/python:
	@PYTHON="$(PYTHON)" ./scripts/make_venv.sh $(VENV)

$(VENV)/demo-ready: pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) ..."
	$(PIP) install -e '.$(if $(TRAINS),[train])'
	@touch $@

$(VENV)/review-ready: pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) ..."
	$(PIP) install -e '.[app]'
	@touch $@

$(VENV)/test-ready: pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) ..."
	$(PIP) install -e '.$(if $(TRAINS),[dev$(comma)train],[dev])'
	@./scripts/system_needs.sh $(BIN)/python mpi postgres browser || true   # the tests that need it say that they are skipped
	@touch $@ $(VENV)/demo-ready

clean:
	rm -rf $(VENV) demo/landscapes demo/work demo/manifests demo/run demo/.packed
