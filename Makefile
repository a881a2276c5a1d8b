# Two commands matter: `make demo` and `make test`. Both set up everything they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OPENAI2 := .venv-openai2
RAY    := .venv-ray
FLOOR  := .venv-floor
COMPARE := .venv-compare
BROWSER := .venv-browser
# The versions of Python that the package says it runs on, beside the one that all tests run on.
PYTHONS := 3.12 3.13
# What a version of Python can change: threads and event loops, annotations, pickles, tracebacks, files, the frameworks themselves.
PYTHON_TESTS := $(addprefix tests/,\
  $(patsubst %,kimi_core/test_%.py,chat_stream fetch files frames limit_storages local_files media odd_endpoints quoting server_tools structured transport) \
  $(patsubst %,langchain_kimi/%.py,standard/test_unit standard/test_event_loops test_chat_kimi test_structured test_tools) \
  $(patsubst %,llama_index_kimi/test_%.py,copies structured) llama_index_conformance \
  $(patsubst %,test_%.py,agents annotations event_loops streams tracebacks wire))
# What the SDK's major can change: transport and streams, and what the frameworks are judged by.
OPENAI2_TESTS := $(addprefix tests/,kimi_core/test_transport.py langchain_kimi/standard llama_index_conformance \
  $(patsubst %,test_%.py,agents aiohttp secrets streams))
# What the oldest versions can change: the frameworks' messages, tools and classes, the SDK's transport, pydantic's models,
# Redis' client, the validator. The tables of the core (hosts, schemas, calls, budgets) know none of them. The oldest versions
# do not come with deepagents, MCP, vector stores and what else the tests that are left out need.
FLOOR_TESTS := $(addprefix tests/,\
  $(patsubst %,kimi_core/test_%.py,fetch files limit_storages structured transport) \
  langchain_kimi llama_index_kimi llama_index_conformance \
  $(patsubst %,test_%.py,agents base64 deadlines documents endless_bodies event_loops fault_matrix histories limits local_files) \
  $(patsubst %,test_%.py,options redirects remembered repr retries secrets stream_options streams structured threads) \
  $(patsubst %,test_%.py,tracebacks usage_log warm_up wire)) \
  $(addprefix --ignore=tests/,langchain_kimi/agents langchain_kimi/test_langsmith.py langchain_kimi/test_openinference.py \
  llama_index_kimi/test_ingestion.py llama_index_kimi/test_openinference.py)
# A file's tests stay in one process, so that what they share is made once.
PARALLEL := -n auto --dist loadfile
UV     := .uv/bin/uv
export UV_PYTHON_DOWNLOADS ?= never
# NLTK, which LlamaIndex splits text with, refuses data files that are hard links.
export UV_LINK_MODE ?= copy
# Tests start many processes, and each would compile the same thousands of modules anew: they are compiled once, when they
# are installed, and what is compiled later is kept, whatever the caller's shell is set to.
export UV_COMPILE_BYTECODE ?= 1
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-openai2 test-ray ray-demo test-floor test-python fuzz soak features lint format types contracts docs notebooks pictures bench compare lock clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-14s %s\n", $$1, $$2}'

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet uv

$(READY): pyproject.toml constraints.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --constraint constraints.txt --group dev --editable '.[all]'
	@touch $@

# The older major of the openai SDK.
$(OPENAI2)/.ready: pyproject.toml constraints.txt openai2.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(OPENAI2)
	grep -v '^openai==' constraints.txt > $(OPENAI2)/constraints.txt
	VIRTUAL_ENV=$(OPENAI2) $(UV) pip install --quiet --constraint $(OPENAI2)/constraints.txt --constraint openai2.txt --group test --editable '.[all]'
	@touch $@

# The oldest versions that are supported, each from its own line of floor.txt.
$(FLOOR)/.ready: pyproject.toml constraints.txt floor.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(FLOOR)
	grep -vE "^($$(grep -oE '^[a-z0-9-]+' floor.txt | paste -sd'|'))==" constraints.txt > $(FLOOR)/constraints.txt
	VIRTUAL_ENV=$(FLOOR) $(UV) pip install --quiet --constraint $(FLOOR)/constraints.txt --requirements floor.txt --editable '.[langchain,llama-index,local-server,redis]'
	@touch $@

# Ray is 600 MB, and in nobody's way here.
$(RAY)/.ready: pyproject.toml constraints.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(RAY)
	VIRTUAL_ENV=$(RAY) $(UV) pip install --quiet --constraint constraints.txt --group test --editable '.[all,ray]' llama-index-vector-stores-lancedb
	@touch $@

demo: $(READY) ## the main job: both frameworks, on the local Kimi server or (with a key) on the real host
	@$(BIN)/kimi-adapters demo $(ARGS)

test: $(READY) ## all tests, no network beyond 127.0.0.1
	$(BIN)/pytest $(PARALLEL) $(ARGS)

test-openai2: $(OPENAI2)/.ready ## what the SDK's major can change, on openai 2.x
	$(OPENAI2)/bin/pytest $(PARALLEL) $(OPENAI2_TESTS) $(ARGS)

test-ray: $(RAY)/.ready ## rows through Ray, with a worker and the driver killed
	$(RAY)/bin/pytest -n 0 tests/kimi_adapters/test_ray.py tests/kimi_adapters/test_ray_data.py $(ARGS)

ray-demo: $(RAY)/.ready ## 300 rows through Ray while all goes wrong (ARGS="--rows 10000 --framework llama-index")
	@$(RAY)/bin/python examples/ray/run.py $(ARGS)

test-floor: $(FLOOR)/.ready ## what both frameworks are judged by, on the oldest versions that are supported
	$(FLOOR)/bin/python -m pytest $(PARALLEL) $(FLOOR_TESTS) $(ARGS)

# pyenv has a python3.12 on the PATH that starts only where PYENV_VERSION names it.
test-python: pyproject.toml constraints.txt | $(UV) ## a selection of the tests on each of Python 3.12 and 3.13 that is installed
	@for version in $(PYTHONS); do \
	  export PYENV_VERSION=$$version; \
	  if python=$$(python$$version -c 'import sys; print(sys.executable)' 2>/dev/null); then \
	    unset PYENV_VERSION; ran=yes; env=.venv-python$$version; \
	    $(UV) venv --quiet --allow-existing --python "$$python" $$env && \
	    VIRTUAL_ENV=$$env $(UV) pip install --quiet --constraint constraints.txt --group test --editable '.[all]' && \
	    echo "Python $$version:" && $$env/bin/python -m pytest $(PARALLEL) $(PYTHON_TESTS) $(ARGS) || exit 1; \
	  else echo "Python $$version is not installed here: nothing was tested on it."; fi; \
	done; \
	[ -n "$$ran" ] || echo "Neither of Python $(PYTHONS) is installed here, so the tests ran on neither."

fuzz: $(READY) ## a million odd frames and 100,000 odd conversations (ARGS="--seed 2 --frames 1000")
	PYTHONPATH=tests $(BIN)/python tests/fuzz.py $(ARGS)

soak: $(READY) ## 200 agents for half an hour while one request in twenty fails: is anything left over? (ARGS="--minutes 2 --agents 50")
	PYTHONPATH=tests nice $(BIN)/python tests/soak.py $(ARGS)

features: $(READY) ## run LangChain's standard tests and write down what they say, for the documentation
	RECORD_FEATURES=1 $(BIN)/pytest -n 0 tests/langchain_kimi/standard
	$(BIN)/python docs/generate.py

lint: $(READY) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY) ## mypy, strict
	$(BIN)/mypy

contracts: $(READY) ## who may import whom
	$(BIN)/lint-imports

docs: $(READY) ## build the documentation into docs/site; a warning or a dead link is an error
	$(BIN)/zensical build --strict --config-file docs/zensical.toml --clean

notebooks: $(READY) ## run every notebook on the local Kimi server (ARGS=--write keeps the outputs, ARGS=--live uses your keys)
	$(BIN)/python notebooks/run.py $(ARGS)

# JupyterLab, which drives no test. Chromium and its driver come from the system: apt-get install chromium chromium-driver
$(BROWSER)/.ready: pyproject.toml constraints.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(BROWSER)
	VIRTUAL_ENV=$(BROWSER) $(UV) pip install --quiet --constraint constraints.txt --group dev --group browser --editable '.[all]'
	@touch $@

pictures: $(BROWSER)/.ready docs ## run every notebook in a real JupyterLab, and picture it, the site and the commands
	$(BROWSER)/bin/python docs/pictures.py $(ARGS)

bench: $(READY) $(OPENAI2)/.ready ## what a call costs beside the raw openai SDK, by either major of it; writes docs/pages/speed.md
	$(BIN)/python bench/bench.py --record
	$(OPENAI2)/bin/python bench/bench.py --record
	$(BIN)/python docs/generate.py

# The classes that are used with Kimi today, beside the project; they need the older major of the openai SDK.
$(COMPARE)/.ready: pyproject.toml constraints.txt compare/peers.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(COMPARE)
	grep -v '^openai==' constraints.txt > $(COMPARE)/constraints.txt
	VIRTUAL_ENV=$(COMPARE) $(UV) pip install --quiet --constraint $(COMPARE)/constraints.txt --group dev --editable '.[all]' --requirements compare/peers.txt
	@touch $@

compare: $(COMPARE)/.ready ## KimiLLM and its peers through the same suite; writes docs/pages/peers.md
	-$(COMPARE)/bin/pytest compare -q -n auto --timeout 60 --tb=no --no-summary
	$(COMPARE)/bin/python compare/table.py

lock: | $(UV) ## pin the development environment anew
	$(UV) pip compile --quiet --universal --python-version 3.11 --all-extras --group dev --group browser --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml -o constraints.txt

clean: ## remove environments and caches
	rm -rf $(VENV) $(OPENAI2) $(RAY) $(FLOOR) $(COMPARE) $(BROWSER) .venv-python3* .uv docs/site docs/.cache dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
