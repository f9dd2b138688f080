# Everything but test-libraries runs in .venv, which the first command makes; Python 3.11 or newer is all it needs.
PYTHON ?= python3
BIN := .venv/bin
LIBRARIES := .venv-libraries
FIFTYONE := .venv-fiftyone
# A test that hangs fails, and where it hangs is told.
LIMIT := --timeout 600 --timeout-method thread -o faulthandler_timeout=300

.PHONY: help demo test test-fast test-slow test-libraries coverage check bench fuzz clean

help:
	@echo "make demo            install without TensorFlow, label examples/photos"
	@echo "make test            install everything, run the tests; TEST=--cov hands options to pytest"
	@echo "make test-fast       those that need neither TensorFlow nor many processes: below two minutes"
	@echo "make test-slow       the tests that take minutes"
	@echo "make test-libraries  the tests of exports, read by pycocotools, mlcroissant, Label Studio and others"
	@echo "make coverage        make test, and how many lines of code it runs"
	@echo "make check           ruff and mypy"
	@echo "make bench           the benchmarks; BENCH=--help shows their options"
	@echo "make fuzz            damaged files, one minute of each kind; FUZZ=--help shows the options"
	@echo "make clean           remove the virtual environments and what the demo made"

demo: .venv/demo
	$(BIN)/labeler classify examples/photos --out labels.csv || test $$? -eq 1

test: .venv/all
	$(BIN)/python -m pytest --numprocesses auto $(LIMIT) $(TEST)

test-fast: .venv/all
	$(BIN)/python -m pytest --numprocesses auto $(LIMIT) --fast

coverage:
	$(MAKE) test TEST=--cov

test-slow: .venv/all
	$(BIN)/python -m pytest -m slow

test-libraries: $(LIBRARIES)/all $(FIFTYONE)/all
	$(LIBRARIES)/bin/python -m pytest --libraries -m "slow or not slow" -rs tests/exports tests/reviewers/test_import.py

check: .venv/all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/all
	$(BIN)/python benchmarks/run.py $(BENCH)

fuzz: .venv/all
	$(BIN)/python tests/fuzz.py $(FUZZ)

clean:
	rm -rf .venv $(LIBRARIES) $(FIFTYONE) fuzz $(filter-out %.reviews.jsonl,$(wildcard labels.csv labels.csv.*))

$(BIN)/python $(LIBRARIES)/bin/python $(FIFTYONE)/bin/python: %/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "labeler needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $* || \
		{ echo "Python's venv is missing; on Debian and Ubuntu: sudo apt-get install python3-venv"; rm -rf $*; exit 2; }

.venv/demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/all: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,audit,review,remote,dev]'
	@touch $@ .venv/demo

# label-studio-sdk pins OpenCV below 4.13, labeler needs 5; older versions of it bring opencv-python, which overwrites cv2.
# Installed first, it keeps its other packages and loses its OpenCV, which only its conversion of brush masks uses.
$(LIBRARIES)/all: $(LIBRARIES)/bin/python pyproject.toml
	$(LIBRARIES)/bin/python -m pip install --quiet --disable-pip-version-check 'label-studio-sdk>=2.1'
	@echo "pip may now report a conflict between label-studio-sdk and opencv-python-headless: it is known and harmless here"
	$(LIBRARIES)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[audit,dev,libraries]'
	@touch $@

# FiftyOne needs OpenCV 4, and 1 GB; its importers are run as programs, labeler is not in this environment.
$(FIFTYONE)/all: $(FIFTYONE)/bin/python
	$(FIFTYONE)/bin/python -m pip install --quiet --disable-pip-version-check 'fiftyone>=1.22'
	@touch $@
