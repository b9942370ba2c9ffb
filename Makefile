# `make run` and `make test` need nothing but Python 3.11 or later and make. The first installs the core alone, the
# second all extras, tests and linters too.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
# Processes that share the tests, a file each at a time.
WORKERS ?= 2

.PHONY: run serve test lint audit compliance bench fuzz kills load outage schema examples train backtest skill docs page page-check page-speed page-pictures notebooks lock clean

run: $(VENV)/.run-ready
	$(BIN)/hazecast run $(ARGS)

serve: $(VENV)/.run-ready
	$(BIN)/hazecast serve $(ARGS)

test: $(VENV)/.test-ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile $(ARGS)

lint: $(VENV)/.test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

# Known vulnerabilities of the pinned versions; fails too where the database of them can't be asked.
PIP_AUDIT ?= pip-audit==2.10.1
audit:
	test -x .audit-venv/bin/pip-audit || \
		{ $(PYTHON) -m venv .audit-venv && .audit-venv/bin/python -m pip install --quiet '$(PIP_AUDIT)'; }
	.audit-venv/bin/pip-audit --strict --disable-pip --no-deps --progress-spinner off -r constraints.txt

# Published NetCDF against CF 1.11 and ACDD 1.3, by IOOS' checker in an environment of its own. Its check of order
# ends with an error of its own at an axis of text, the cities.
COMPLIANCE ?= compliance-checker==6.1.0
compliance: $(VENV)/.test-ready
	test -x .compliance-venv/bin/compliance-checker || \
		{ $(PYTHON) -m venv .compliance-venv && .compliance-venv/bin/python -m pip install --quiet '$(COMPLIANCE)'; }
	$(BIN)/python -m tests.tools.published_samples .compliance-venv/samples
	.compliance-venv/bin/compliance-checker -t cf:1.11 -t acdd:1.3 -c normal \
		-s check_coordinate_variables_strict_monotonicity .compliance-venv/samples/*.nc

bench: $(VENV)/.test-ready
	$(BIN)/python -m pytest -q --timeout 0 tests/benchmarks -s $(ARGS)

# Damaged files through all readers; the files of findings go to fuzz-findings.
fuzz: $(VENV)/.test-ready
	$(BIN)/python -m tests.tools.fuzz.run --count 10000 $(ARGS)

# Every operation of the API with hundreds of made-up arguments.
schema: $(VENV)/.test-ready
	HAZECAST_SCHEMA_EXAMPLES=300 $(BIN)/python -m pytest -q --timeout 0 tests/services/web/test_api_schema.py $(ARGS)

# The examples in the API's description, from answers about January 2013.
examples: $(VENV)/.test-ready
	$(BIN)/python -m tests.tools.api_examples $(DATA)

# DATA holds the collections.
DATA ?= ../shared/data
OUT ?= data/training
# evaluation: what the scored network learned from; service: all there is.
RECIPE ?= service

# Cycles killed at any moment and started again, on both databases: no warning lost or doubled, nothing half-written.
kills: $(VENV)/.test-ready
	$(BIN)/python -m tests.tools.kills --count 200 --collection $(DATA)/five-cities $(ARGS)

# Two workers under load for half an hour, with a cycle in the middle: no error, no slow answer, no growing memory.
load: $(VENV)/.test-ready
	$(BIN)/python -m tests.tools.load $(ARGS)

# A receiver of webhooks down, slow or failing for an hour of simulated time: every message, in order, once by its id.
outage: $(VENV)/.test-ready
	$(BIN)/python -m pytest -q tests/services/delivery/test_delivery_outage.py tests/services/delivery/test_delivery_interleavings.py $(ARGS)

train: $(VENV)/.run-ready
	$(BIN)/hazecast train --recipe $(RECIPE) $(DATA) --out $(OUT) $(ARGS)

backtest: $(VENV)/.run-ready
	$(BIN)/hazecast backtest --observations $(DATA)/beijing-multisite --train-until 2015-02-28T16:00Z \
		--from 2015-03-01T00:00+08:00 --to 2016-02-29T23:00+08:00 $(ARGS)

# All models and weathers on the last year of the collection, into docs/skill.md. Takes long. The trees are an extra.
skill: $(VENV)/.test-ready
	$(BIN)/python -m hazecast.services.research.skill --data $(DATA) $(ARGS)

# The documentation as a site in build/site; a lost link, anchor or page ends it.
docs: $(VENV)/.test-ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet $(ARGS)

# The page's library comes from npm and is kept in the repository: nothing else here needs Node.
page:
	cd services/web/page && npm ci --ignore-scripts --no-audit --no-fund && npm run --silent vendor

page-check:
	cd services/web/page && npm ci --ignore-scripts --no-audit --no-fund && npm run --silent check

# On a slow phone, in headless Chromium; the pictures of docs/page.md.
page-speed: $(VENV)/.test-ready
	$(BIN)/python -m tests.tools.page_speed $(ARGS)

page-pictures: $(VENV)/.test-ready
	$(BIN)/python -m tests.tools.page_pictures docs/images --data $(DATA) $(ARGS)

# The notebooks again, with their outputs; ARGS names some of them.
notebooks: $(VENV)/.test-ready
	$(BIN)/python -m tests.tools.notebooks --data $(DATA) $(ARGS)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Hazecast needs Python 3.11 or later; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Metadata that an earlier layout left at the top would hide the entry points of this one.
$(VENV)/.run-ready: pyproject.toml constraints.txt | $(BIN)/python
	rm -rf hazecast.egg-info
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.test-ready: pyproject.toml constraints.txt | $(BIN)/python
	rm -rf hazecast.egg-info
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.run-ready

# Pins what a fresh environment resolves to. PyTorch's build (CPU or CUDA) is not part of the pin.
lock:
	rm -rf .lock-venv && $(PYTHON) -m venv .lock-venv
	.lock-venv/bin/python -m pip install --quiet -e '.[dev]'
	{ echo "# Exact versions for every environment; made by 'make lock'."; \
	  .lock-venv/bin/python -m pip freeze --all --exclude pip --exclude-editable | sed 's/+cpu//; s/ @ .*//'; } > constraints.txt
	rm -rf .lock-venv

clean:
	rm -rf $(VENV) .audit-venv build *.egg-info src/*.egg-info
