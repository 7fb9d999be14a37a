# make demo: set up and rerank real questions.   make test: set up and run the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test check bench docs clean

$(BIN)/.core: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	touch $@

$(BIN)/.dev: $(BIN)/.core
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	touch $@

demo: $(BIN)/.core
	@$(BIN)/python examples/demo.py

test: $(BIN)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

check: $(BIN)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check src tests examples bench
	$(BIN)/mypy
	$(BIN)/lint-imports

bench:
	@echo "bench/README.md says what is needed"; $(BIN)/python bench/speed.py

docs:
	@echo "Read docs/index.md; the pages are plain Markdown."

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
