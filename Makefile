# One entry for everything a person does here. `make help` lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Empty ones count as absent, so `PORT=9000 make serve` and `make serve PORT=9000` both work.
export PORT DATA_DIR SPAREKEY_DATABASE_URL

EXAMPLES ?= 10000
FOLDERS := authz bench models operations resolvers schema server tests

# A stamp is named after the sum of what it installed: while that is the same, pip is not even started.
sum = $(firstword $(shell cat $(1) pyproject.toml | cksum))
SERVE_STAMP := $(VENV)/.serve-$(call sum,locks/serve.txt)
TEST_STAMP := $(VENV)/.test-$(call sum,locks/test.txt)
BENCH_STAMP := $(VENV)/.bench-$(call sum,locks/bench.txt)

.DEFAULT_GOAL := help
.PHONY: help setup serve test fuzz prove check accept bench lock clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(SERVE_STAMP) ## create .venv with what `make serve` needs

serve: $(SERVE_STAMP) ## run Sparekey with its own PostgreSQL (PORT=, DATA_DIR=, SPAREKEY_DATABASE_URL=)
	@exec $(BIN)/sparekey serve

test: $(TEST_STAMP) ## run the tests on a real PostgreSQL (ARGS="-k walk" for some of them)
	@echo "make: running the tests"
	@$(BIN)/pytest $(ARGS)

fuzz: $(TEST_STAMP) ## throw EXAMPLES= (10000) made-up requests, messages, documents and policies at their readers
	@FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest tests/test_http_fuzz.py tests/test_socket_fuzz.py \
		tests/test_execution_differential.py tests/test_policy_fmt.py tests/test_policy_cedar.py \
		tests/test_policy_fuzz.py $(ARGS)

prove: $(TEST_STAMP) ## the life of engagements at length: LIVES= made-up lives (2000), KILLS= kills of a server (12)
	@LIVES=$(or $(LIVES),2000) KILLS=$(or $(KILLS),12) PAIRS=all $(BIN)/pytest tests/test_lives.py tests/test_killed.py \
		tests/test_interleavings.py $(ARGS)

check: $(TEST_STAMP) ## lint, types, policies and the committed snapshots
	@echo "make: lint"
	@$(BIN)/ruff check .
	@echo "make: types"
	@$(BIN)/mypy --strict $(wildcard $(FOLDERS) *.py)
	@echo "make: policies"
	@$(BIN)/sparekey policy check --locked
	@$(BIN)/sparekey policy fmt --check
	@$(BIN)/sparekey policy test --coverage-min 100 --mutate
	@echo "make: snapshots"
	@$(BIN)/sparekey accept --check

accept: $(TEST_STAMP) ## write the snapshots anew; the diff is what a reviewer reads
	@$(BIN)/sparekey accept

bench: $(BENCH_STAMP) ## measure against the promises, each beside a named peer (ARGS="page decide" for some)
	@$(BIN)/python -m bench $(ARGS)

lock: $(TEST_STAMP) ## resolve the dependencies anew and write locks/
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "make lock: use Python 3.11, the oldest that has to work")'
	@echo "make: writing locks/ from the public index"
	@$(COMPILE) --upgrade --extra=embedded --extra=dev --output-file=locks/test.txt pyproject.toml
	@$(COMPILE) --constraint=locks/test.txt --extra=embedded --extra=dev --extra=bench --output-file=locks/bench.txt pyproject.toml
	@$(COMPILE) --constraint=locks/test.txt --extra=embedded --output-file=locks/serve.txt pyproject.toml
	@$(COMPILE) --constraint=locks/test.txt --output-file=locks/production.txt pyproject.toml

# Other indexes of this machine are left out: the hashes have to be those that everybody gets.
COMPILE := env -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL -u PIP_FIND_LINKS PIP_CONFIG_FILE=/dev/null \
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --build-deps-for=editable \
	--no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

clean: ## remove .venv and the caches; .data stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(SERVE_STAMP): | $(BIN)/python
	@echo "make: installing what serving needs, from locks/serve.txt"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r locks/serve.txt
	@$(INSTALL_OURSELVES)
	@rm -f $(VENV)/.serve-* && touch $@

$(TEST_STAMP): | $(BIN)/python
	@echo "make: installing what serving and testing need, from locks/test.txt"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r locks/test.txt
	@$(INSTALL_OURSELVES)
	@rm -f $(VENV)/.serve-* $(VENV)/.test-* && touch $(SERVE_STAMP) $@

$(BENCH_STAMP): $(TEST_STAMP)
	@echo "make: installing what the benchmarks need besides, from locks/bench.txt"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r locks/bench.txt
	@rm -f $(VENV)/.bench-* && touch $@

# One line in site-packages that points here, and the command `sparekey`.
INSTALL_OURSELVES := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-index \
	--no-build-isolation --no-deps --editable .

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make: Python 3.11 or newer is needed, and $(PYTHON) is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12 ...")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) lacks ensurepip or venv; install them (on Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@rm -rf $(VENV)
	@echo "make: creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
