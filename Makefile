# make demo   install into .venv and tune a network with all four strategies
# make test   the same with the tools of development, and run the tests
# make test-long  the tests that take longest: production, killed processes, every port
# make quick  style, types, and the tests that neither train networks nor start servers
# make bench-early  regret after so many rounds of searches that stop early, on tables of curves
# make bench-gpu   results and speed of a GPU, and of stacks there
# make bench-start  how long searches take from the start of the command, beside other tuners
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_HOME := .nettuner/demo

.PHONY: demo test test-long quick lint bench bench-start bench-lines bench-bayesian bench-population bench-early bench-gpu constraints empty-database schema clean

LAYOUT := $(VENV)/layout/nettuner

INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint deploy/constraints.txt

# What running needs. What a build leaves would be taken for the package by the next one.
$(VENV)/installed: pyproject.toml deploy/constraints.txt
	rm -rf build *.egg-info
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable .
	rm -rf build *.egg-info
	mkdir -p $(LAYOUT)
	ln -sfn ../../../flows/face/__init__.py $(LAYOUT)/__init__.py
	for folder in deploy flows models tasks; do ln -sfn ../../../$$folder $(LAYOUT)/$$folder; done
	@touch $@

# What development needs is added to it; nettuner is there already, so it is not built again.
$(VENV)/installed-dev: $(VENV)/installed
	$(INSTALL) 'nettuner[dev]'
	@touch $@

demo: $(VENV)/installed
	NETTUNER_HOME=$(DEMO_HOME) $(BIN)/nettuner search deploy/studies/digits.yaml \
		--strategy grid --strategy random --strategy bayesian --strategy population
	NETTUNER_HOME=$(DEMO_HOME) $(BIN)/nettuner compare digits --plot comparison.png
	@echo "look at every run: NETTUNER_HOME=$(DEMO_HOME) $(BIN)/nettuner ui"

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses 2 -m "not long"
	@echo "left to make test-long: every test that is marked long"

test-long: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses 2 -m long

QUICK := tests/models/space tests/models/production tests/models/test_study.py \
	tests/models/test_study_file.py tests/tasks/champion tests/tasks/memory \
	tests/tasks/strategies/population tests/test_import_direction.py \
	--ignore tests/tasks/strategies/population/test_population_toy.py

quick: lint
	$(BIN)/python -m pytest --numprocesses 2 --quiet -m "not slow and not long" $(QUICK)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed
	$(BIN)/python tests/benchmarks/overhead.py

# About an hour, on a machine that does nothing else; other tuners run in an environment of their own.
bench-start: $(VENV)/installed
	$(BIN)/python tests/benchmarks/start.py

# How long projects are beside the same with Optuna; a second.
bench-lines:
	$(PYTHON) tests/benchmarks/lines.py

# Needs a day the first time: other optimisers run in environments of their own. A part of it:
# python tests/benchmarks/bayesian.py --seeds 2 --families synthetic,networks
bench-bayesian: $(VENV)/installed
	$(BIN)/python tests/benchmarks/bayesian.py

# About an hour, on a machine that does nothing else.
bench-population: $(VENV)/installed
	$(BIN)/python tests/benchmarks/population.py

# Some hours on one core the first time; needs the tables of curves beside the project.
bench-early: $(VENV)/installed
	$(BIN)/python tests/benchmarks/early.py

# Made for five minutes of a machine with one GPU.
bench-gpu: $(VENV)/installed
	$(BIN)/python tests/benchmarks/gpu.py

schema: $(VENV)/installed
	$(BIN)/nettuner schema --output deploy/studies/study.schema.json
	$(BIN)/nettuner schema --output docs/study.md

# After another Prefect has come into the constraints.
empty-database: $(VENV)/installed
	$(BIN)/python -m nettuner.flows.prefect_runs.empty_database

# The tested set: what a fresh environment gets from the ranges in pyproject.toml, by version alone.
constraints:
	rm -rf .venv-constraints
	$(PYTHON) -m venv .venv-constraints
	.venv-constraints/bin/pip install --quiet --disable-pip-version-check $(TORCH) '.[dev]'
	.venv-constraints/bin/pip freeze --exclude nettuner | sed -E 's/\+cpu$$//' | grep -v '@' > deploy/constraints.txt
	rm -rf .venv-constraints

clean:
	rm -rf $(VENV) .nettuner build dist *.egg-info comparison.png
