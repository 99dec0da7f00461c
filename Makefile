# make run   reads the demo cabinet with the embedded model server (ARGS="--seconds 60" ends by itself)
# make test  runs the test suite
# Both make .venv and install what they need; nothing outside this folder is touched.

PYTHON ?= python3
VENV ?= .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
RUN_EXTRAS := embedded
TEST_EXTRAS := embedded,screen,video,test
# Many tests wait for real programs, so two processes share the files of tests. JOBS=0: one, as --pdb needs it.
JOBS ?= 2

.PHONY: run test lint slow clean

run: $(VENV)/.run
	$(BIN)/python run.py $(ARGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

lint: $(VENV)/.test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow $(ARGS)

$(VENV)/.venv: tools/make_venv.py
	@$(PYTHON) tools/make_venv.py $(VENV)
	@touch $@

$(VENV)/.run $(VENV)/.test: export PYTHONWARNINGS = ignore

$(VENV)/.run: $(VENV)/.venv pyproject.toml
	@echo "installing FourEyes and its embedded model server (about 500 MB on the disk, once)"
	@$(PIP) --editable '.[$(RUN_EXTRAS)]'
	@touch $@

$(VENV)/.test: $(VENV)/.venv pyproject.toml
	@echo "installing FourEyes and what its tests need (once)"
	@$(PIP) --editable '.[$(TEST_EXTRAS)]'
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV)
