# Needs Python >= 3.11, make and git. Paths are relative: a checkout path may contain spaces.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
UV_VERSION := 0.13.9
PY := .venv/bin/python
UV := $(PY) -m uv
STAMP := .venv/.installed

# No library should call home; a user's own setting wins.
export DO_NOT_TRACK ?= 1
export PREFECT_SERVER_ANALYTICS_ENABLED ?= false
export RAY_USAGE_STATS_ENABLED ?= 0
export GX_ANALYTICS_ENABLED ?= false

.PHONY: help setup run test coverage test-all bench-data bench-ingest bench-train bench-gpu bench-promotion bench-predict bench-calibration docs-pictures check audit format lock campaign-pack campaign campaign-merge bench-serve bench-faces bench-fer bench-origin soak fuzz clean-venv

help:  ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(STAMP)  ## Create .venv with the pinned dependencies

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python >= 3.11 is required, this is %d.%d; choose another one: make PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@test -x $(PY) || { echo "creating .venv ..."; $(PYTHON) -m venv .venv; }
	@$(UV) --version >/dev/null 2>&1 || { echo "installing uv ..."; $(PY) -m pip install --quiet --disable-pip-version-check 'uv==$(UV_VERSION)'; }
	@echo "installing the pinned packages (about 6 GB the first time, some minutes) ..."
	@$(UV) pip install --quiet --compile-bytecode --python $(PY) --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation -e .
	@touch $(STAMP)
	@echo "ready: .venv/bin/ferflow --help"

run: $(STAMP)  ## Run the whole pipeline on synthetic faces (some minutes)
	@$(PY) -m deployments run $(ARGS)

test: $(STAMP)  ## Every test that this machine can run in about ten minutes
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not slow' --durations=15 -q $(ARGS)

coverage: $(STAMP)  ## The same tests, with the lines that none of them runs
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not slow' --cov --cov-report=term:skip-covered -q $(ARGS)

test-all: $(STAMP)  ## The slow tests, too
	@$(PY) -m pytest $(ARGS)

bench-ingest: $(STAMP)  ## Ingest of JPEG files against the decoder alone (ARGS='--images N')
	@$(PY) -m tests.benchmarks.bench_ingest_images $(ARGS)

bench-data: $(STAMP)  ## Ratios and scores of the data steps (ARGS='--images TABLE' adds the real images)
	@$(PY) -m tests.benchmarks $(ARGS)

bench-train: $(STAMP)  ## Ratios of the training path (data, steps, networks, Ray)
	@$(PY) -m tests.benchmarks.bench_train $(ARGS)
	@$(PY) -m tests.benchmarks.bench_depthwise
	@$(PY) -m tests.benchmarks.bench_muon
	@$(PY) -m tests.benchmarks.bench_tune
	@$(PY) -m tests.benchmarks.bench_ray_train
	@$(PY) -m tests.benchmarks.bench_cluster

bench-gpu: $(STAMP)  ## Seconds to an accuracy on a GPU (ARGS: --images TABLE --recipe NAME)
	@$(PY) -m tests.benchmarks.bench_gpu $(ARGS)

campaign-pack: $(STAMP)  ## A stored dataset as one small file for campaigns (ARGS: --store FOLDER --out FILE)
	@$(PY) -m fer_models.campaign pack $(ARGS)

campaign: $(STAMP)  ## Train what a plan still lacks, within its budget (ARGS: --faces FILE --out FOLDER)
	@$(PY) -m fer_models.campaign run $(ARGS)

campaign-merge: $(STAMP)  ## Merge what campaigns brought back (ARGS: FOLDER... --store FOLDER)
	@$(PY) -m fer_models.campaign merge $(ARGS)

bench-serve: $(STAMP)  ## 200 clients of the inference server at once against one (ARGS: --requests, --model)
	@$(PY) -m tests.benchmarks.bench_serve $(ARGS)

bench-promotion: $(STAMP)  ## How often the gate promotes what is better, equal or worse, by simulation
	@$(PY) -m tests.benchmarks.bench_promotion $(ARGS)

bench-predict: $(STAMP)  ## Faces/s and start-up of prediction, torch and onnxruntime (ARGS='--images TABLE')
	@$(PY) -m tests.benchmarks.bench_predict $(ARGS)

bench-calibration: $(STAMP)  ## How well the probabilities of shipped networks fit (ARGS='--images TABLE')
	@$(PY) -m tests.benchmarks.bench_calibration $(ARGS)

bench-faces: $(STAMP)  ## How well faces are found, cut out and told from other pictures (ARGS='--images TABLE')
	@$(PY) -m tests.benchmarks.bench_faces $(ARGS)

bench-fer: $(STAMP)  ## The shipped models and other packages on FER2013 (ARGS='--data TABLE --split PublicTest')
	@$(PY) -m tests.benchmarks.bench_fer $(ARGS)

bench-origin: $(STAMP)  ## A training step of every network of the recipe seed-baselines (ARGS='--steps 3')
	@$(PY) -m tests.benchmarks.bench_origin $(ARGS)

soak: $(STAMP)  ## Kill runs, servers and nodes at random, and check that nothing is lost (ARGS='--minutes 60 --seed 0')
	@$(PY) -m tests.soak $(ARGS)

docs-pictures: $(STAMP)  ## Make the pictures of docs/ui.md again (needs Chromium)
	@$(PY) -m tests.operation.pictures

check: $(STAMP)  ## ruff, mypy strict, import-linter
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@.venv/bin/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

audit: $(STAMP)  ## Known vulnerabilities of the pinned packages (needs a vulnerability service; ARGS: of pip-audit), and licences
	@$(PY) -m piplicenses --from=mixed --order=license --format=csv | cut -c1-100 | awk 'NR == 1 || /^"/'
	@$(PY) -m piplicenses --from=mixed --partial-match --fail-on='Affero;AGPL;SSPL' >/dev/null
	@$(PY) -m pip_audit --strict --disable-pip --require-hashes -r requirements.lock $(ARGS)

fuzz: $(STAMP)  ## Mutated inputs for every reader, counted (ARGS='--inputs 400 --seed 0')
	@$(PY) -m tests.fuzz $(ARGS)

format: $(STAMP)  ## Format, and fix what ruff can fix
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

lock: $(STAMP)  ## Resolve and pin all dependencies again (no index name gets into the file)
	@$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --all-extras \
	  --no-header --no-annotate pyproject.toml -o requirements.lock
