# Every target runs inside .venv; `make setup` builds it from the lock file alone.
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.earshot-locked

IMPORTERS := .venv-importers/bin
TRAINED_NEMO ?= $(wildcard ../shared/asr_prototype/m3_char.nemo)

.PHONY: setup demo test test-importers check format docs proto bench lock lock-importers clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; assert sys.version_info[:2] == (3, 11)' 2>/dev/null || { \
	  echo "earshot needs Python 3.11, and '$(PYTHON)' is not it"; \
	  echo "help: install python3.11 with its venv module, or run: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: setup
	$(BIN)/python -m demo

test: setup
	$(BIN)/python -m pytest

# The toolkits whose checkpoints are imported, in an environment of their own; there no importer's test may be skipped.
test-importers: .venv-importers/.earshot-locked
	EARSHOT_REQUIRE_IMPORTERS=1 EARSHOT_TRAINED_NEMO="$(TRAINED_NEMO)" $(IMPORTERS)/python -m pytest -W ignore \
	  tests/importers tests/model_runtime

.venv-importers/.earshot-locked: requirements-importers.txt pyproject.toml
	$(PYTHON) -m venv .venv-importers
	$(IMPORTERS)/pip install --quiet --disable-pip-version-check -r requirements-importers.txt
	$(IMPORTERS)/pip install --quiet --disable-pip-version-check -c requirements-importers.txt --no-build-isolation -e .
	@touch $@

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py tests/test_docs.py

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup
	$(BIN)/python -m operators.reference > docs/operators.md
	$(BIN)/python -m server.reference

proto: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I . --python_out=. --grpc_python_out=. --mypy_out=. --mypy_grpc_out=. \
	  server/api/earshot/v1/inspection.proto

bench: setup
	$(BIN)/python -m bench.road

lock: setup
	$(BIN)/pip-compile --quiet --extra dev --generate-hashes --allow-unsafe --strip-extras \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements.lock pyproject.toml

lock-importers: .venv-importers/.earshot-locked
	mkdir -p build
	{ grep '^#' requirements-importers.txt; echo 'setuptools>=77'; \
	  $(IMPORTERS)/pip freeze --exclude-editable | sed 's/+cpu$$//'; } > build/importers.txt
	mv build/importers.txt requirements-importers.txt

clean:
	rm -rf .venv .venv-importers build *.egg-info
