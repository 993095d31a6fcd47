# Every target sets up what it needs in .venv; nothing is repeated until its inputs change.
# Needs Python >= 3.10 with venv and pip, and make. Another interpreter: make test PYTHON=python3.12
# Another PyTorch, in an environment of its own: make test TORCH=2.8.0, or TORCH=nightly

PYTHON ?= python3
WORKERS ?= 2
TORCH ?=
VENV := .venv$(TORCH:%=-torch-%)
BIN := $(VENV)/bin
DOMAINS := $(notdir $(wildcard src/apolar/explanation src/apolar/diagnosis src/apolar/page))
PIP := $(BIN)/python -m pip --disable-pip-version-check
CONSTRAINTS := $(if $(TORCH),$(VENV)/constraints.txt,constraints.txt)
NIGHTLY := --pre --extra-index-url https://download.pytorch.org/whl/nightly/cpu torch
REQUIRED := -c $(CONSTRAINTS) $(if $(filter nightly,$(TORCH)),$(NIGHTLY),$(TORCH:%=torch==%))

# The tests in which the last digits show, and what stands for other processors: without vector instructions, with those of
# some, with products that are the same on all, and with two threads. PyTorch does not check that a processor has AVX-512.
DELICATE := tests/rules tests/oracles tests/kernels tests/transforms tests/engine tests/evaluation tests/test_networks.py \
	tests/test_torch_func.py tests/test_type_promotion.py
PROCESSORS = ATEN_CPU_CAPABILITY=default ATEN_CPU_CAPABILITY=avx2 \
	$(shell grep -qs avx512bw /proc/cpuinfo && echo ATEN_CPU_CAPABILITY=avx512) \
	MKL_CBWR=COMPATIBLE OMP_NUM_THREADS=2

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test portability verify check bench docs catalogues clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.dev ## compute the worked examples and compare them with the exact values
	$(BIN)/apolar demo

test: $(VENV)/.dev ## run the tests, the examples in docstrings and those in the documentation
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

portability: $(VENV)/.dev ## run the delicate tests as on other processors: instructions, products, threads; half an hour
	for processor in $(PROCESSORS); do \
		echo $$processor; \
		env OMP_WAIT_POLICY=passive $$processor $(BIN)/python -m pytest -q -n $(WORKERS) -m 'not slow' --ignore tests/kernels/test_triton.py \
			$(DELICATE) $(ARGS) || exit; \
	done

verify: $(VENV)/.dev ## compare every operator of PyTorch's database with references, and write docs/operators.md
	$(BIN)/python -m tests.sweep --workers $(WORKERS) $(ARGS)

check: $(VENV)/.dev ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src

bench: $(VENV)/.bench ## run every benchmark in turn, about an hour
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.docs ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

catalogues: $(VENV)/.dev ## collect the texts that are translated, and compile the translations
	@mkdir -p build
	for domain in $(DOMAINS); do \
		$(BIN)/pybabel -q extract -k mark --no-location -o build/$$domain.pot src/apolar/$$domain && \
		$(BIN)/pybabel -q update --init-missing --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date -w 120 \
			-D $$domain -l zh -i build/$$domain.pot -d src/apolar/text/locale && \
		$(BIN)/pybabel -q compile -D $$domain -d src/apolar/text/locale || exit; \
	done

clean: ## remove the environment, caches and built files
	rm -rf .venv .venv-torch-* site build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment, and one stamp per set of extras. The constraints pin every version.
$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	@touch $@

# A PyTorch that was asked for brings its own Triton.
$(VENV)/constraints.txt: constraints.txt $(VENV)/.created
	grep -vE '^(torch|triton)==' constraints.txt > $@

$(VENV)/.dev: $(VENV)/.created pyproject.toml $(CONSTRAINTS)
	$(PIP) install --quiet $(REQUIRED) -e '.[dev]'
	@touch $@

$(VENV)/.%: $(VENV)/.dev
	$(PIP) install --quiet $(REQUIRED) -e '.[$*]'
	@touch $@
