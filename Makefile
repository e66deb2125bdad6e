# `make run` and `make test` are all it takes on a machine with Python 3.11 to 3.14 and make.
.DEFAULT_GOAL := help
.PHONY: help run test test-slow coverage lint format soak soak-hour simulate audit clean
MAKEFLAGS += --no-print-directory
export PYTHON
BIN := .venv/bin

help:
	@echo 'make run        start Trinity: on Discord where a token is set, else at this terminal (ARGS=... for options)'
	@echo 'make test       run the tests'
	@echo 'make test-slow  run those that take as long again'
	@echo 'make coverage   run them and see which lines they reach'
	@echo 'make lint       check style, types and who imports whom'
	@echo 'make format     bring the code into shape'
	@echo 'make soak       run the long tests against faults'
	@echo 'make soak-hour  run an hour with a turn a second and faults in it'
	@echo 'make simulate   run the daemon without waiting by so many seeds (SEEDS=1000), going on where it was left'
	@echo 'make audit      look for known holes in the pinned dependencies'
	@echo 'make clean      remove .venv and what the tools left; data/ and .env stay'

# `exec` leaves no shell between make and Trinity: Ctrl-C on the daemon lets it finish, and make waits. At the terminal
# Ctrl-C is a key that only Trinity sees; Ctrl-Z stops make with her, and `fg` continues both.
run:
	@MAKE_GOAL=run sh deploy/make-venv.sh
	@exec $(BIN)/python -m bot $(ARGS)

# One thread a process: the tests' models are so small that several would only wait for each other. One process more than
# cores: many tests wait for a clock. Bytecode is kept, whatever the environment says: hundreds of processes start here.
PYTEST = OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest \
	-n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --maxprocesses=4 --dist loadgroup
test:
	@MAKE_GOAL=test sh deploy/make-venv.sh dev
	@$(PYTEST) $(ARGS)

test-slow:
	@MAKE_GOAL=test-slow sh deploy/make-venv.sh dev
	@$(PYTEST) -m 'slow and not soak' $(ARGS)

# Tracing makes the tests last nearly twice as long, so it has a goal of its own.
coverage:
	@MAKE_GOAL=coverage sh deploy/make-venv.sh dev
	@$(PYTEST) -m 'not soak' --cov --cov-report=term --cov-fail-under=90 $(ARGS)

lint:
	@MAKE_GOAL=lint sh deploy/make-venv.sh dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --output-format concise .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format:
	@MAKE_GOAL=format sh deploy/make-venv.sh dev
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

soak:
	@MAKE_GOAL=soak sh deploy/make-venv.sh dev
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m soak --timeout=0 -s $(ARGS)

# SOAK_SECONDS is how long the run with a turn a second and faults in it goes on; `make soak` gives it five minutes.
soak-hour:
	@MAKE_GOAL=soak-hour sh deploy/make-venv.sh dev
	@OMP_NUM_THREADS=1 SOAK_SECONDS=$${SOAK_SECONDS:-3600} \
		$(BIN)/python -m pytest -m soak --timeout=0 -s tests/scenarios/test_soaking.py $(ARGS)

# A process for each core, a fresh one for every hundred seeds. The file says which are clean; for other code, `make clean`
# or another file (STATE=...) begins anew.
simulate:
	@MAKE_GOAL=simulate sh deploy/make-venv.sh dev
	@OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m tests.simulation \
		--seeds 0:$${SEEDS:-1000} --state $${STATE:-.simulated-seeds}

# uv keeps pip-audit in an environment of its own, so that it can't change what it looks at.
audit:
	@MAKE_GOAL=audit sh deploy/make-venv.sh dev
	@$(BIN)/python -m uv tool run 'pip-audit>=2.9,<3' --strict --disable-pip --no-deps -r constraints.txt

clean:
	rm -rf .venv .simulated-seeds .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage* htmlcov build dist
