# Everything runs in .venv, which the first command makes; Python 3.11 or newer is all it needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test test-fast test-slow coverage check bench fuzz clean

help:
	@echo "make demo       install without TensorFlow, label examples/photos"
	@echo "make test       install everything, run the tests; TEST=--cov hands options to pytest"
	@echo "make test-fast  those that need neither TensorFlow nor many processes: below two minutes"
	@echo "make test-slow  the tests that take minutes"
	@echo "make coverage   make test, and how many lines of code it runs"
	@echo "make check      ruff and mypy"
	@echo "make bench      the benchmarks; BENCH=--help shows their options"
	@echo "make fuzz       damaged files, one minute of each kind; FUZZ=--help shows the options"
	@echo "make clean      remove .venv and what the demo made"

demo: .venv/demo
	$(BIN)/labeler classify examples/photos --out labels.csv || test $$? -eq 1

test: .venv/all
	$(BIN)/python -m pytest --numprocesses auto $(TEST)

test-fast: .venv/all
	$(BIN)/python -m pytest --numprocesses auto --fast

coverage:
	$(MAKE) test TEST=--cov

test-slow: .venv/all
	$(BIN)/python -m pytest -m slow

check: .venv/all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/all
	$(BIN)/python benchmarks/run.py $(BENCH)

fuzz: .venv/all
	$(BIN)/python tests/fuzz.py $(FUZZ)

clean:
	rm -rf .venv fuzz labels.csv labels.csv.*

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "labeler needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv .venv || \
		{ echo "Python's venv is missing; on Debian and Ubuntu: sudo apt-get install python3-venv"; rm -rf .venv; exit 2; }

.venv/demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/all: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,audit,dev]'
	@touch $@ .venv/demo
