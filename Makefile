# make demo   installs vlmbench into .venv, then runs the main job
# make test   installs it with what tests need, then runs linters, types and all tests
# make docs   builds the documentation as a site, in site/
# make gate   compares tiny-ja's answers with the committed baseline
# make report builds the committed leaderboard of the embedded suite in reports/
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo test docs gate report
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/vlmbench demo

test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

gate: $(VENV)/.installed
	$(BIN)/vlmbench run --model tiny-ja --tasks ja-caption,ja-vqa,ja-chart,ja-multi-image --out runs --no-cache
	$(BIN)/vlmbench gate check runs/tiny-ja --baseline reports/baseline.json

report: $(VENV)/.installed
	$(BIN)/vlmbench demo --out demo
	$(BIN)/vlmbench run --model tiny-ja --tasks ja-vqa,ja-chart --image-mode blind --out demo/runs --no-cache
	$(BIN)/vlmbench report demo/runs --out reports --samples 40

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[build,compat,dev]'
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@
