# The commands of the lab, for Linux and macOS:
#
#   make app     install into .venv, start the lab and print its address (PORT=8600 for that port)
#   make test    install, a browser included, and run all tests (ARGS="-k race" for some of them)
#   make lint    check style, format and types
#   make lock    renew requirements.lock, the versions that these commands install
#   make bench   install the rivals, and compare with them (ARGS=--quick for less)
#   make soak    thirty learners for an hour, while workers are killed (ARGS="--minutes 20" for less)
#   make clean   remove .venv and all else that these commands have made
#
# PYTHON=python3.12 names the Python of .venv; REQUIREMENTS=requirements.txt the list to install.

# Kept to GNU make 3.81 and a POSIX shell: macOS has no newer ones.

PYTHON = python3.13 python3.12 python3.11 python3
ifndef REQUIREMENTS
REQUIREMENTS := $(shell if nvidia-smi -L >/dev/null 2>&1; then echo requirements.txt; else echo requirements-cpu.txt; fi)
endif

# Many containers forbid Python to keep what it has compiled: then every worker compiles TensorFlow's sources anew.
export PYTHONDONTWRITEBYTECODE =

IN_VENV := .venv/bin/python
# Empty files that stand for a finished installation; one that broke off leaves none.
INSTALLED := .venv/installed-$(notdir $(REQUIREMENTS))
INSTALLED_FOR_TESTS := .venv/installed-$(notdir $(REQUIREMENTS))-and-dev

# A browser is opened where there is one: not over SSH, not in CI, not without a display.
HEADLESS = $(shell if [ -n "$$SSH_CONNECTION$$CI" ]; then echo true; \
  elif [ "`uname`" = Linux ] && [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ]; then echo true; else echo false; fi)

.PHONY: help app test browser lint lock bench soak clean

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

app: $(INSTALLED)
	@exec $(IN_VENV) -m streamlit run app.py --server.headless=$(HEADLESS) $(if $(PORT),--server.port=$(PORT))

# The browser tests come apart from the others: they watch real workers train. Either part uses two processes;
# each of those that drive a browser has a server of its own.
test: $(INSTALLED_FOR_TESTS) browser
ifdef ARGS
	$(IN_VENV) -m pytest $(ARGS)
else
	@status=0; for part in "--ignore tests/browser" tests/browser; do \
	  $(IN_VENV) -m pytest -n 2 --dist loadfile $$part || status=1; done; exit $$status
endif

browser: $(INSTALLED_FOR_TESTS)
	@scripts/install.sh browser

lint: $(INSTALLED_FOR_TESTS)
	@status=0; for check in "ruff check" "ruff format --check" mypy; do \
	  $(IN_VENV) -m $$check || status=1; done; exit $$status

lock:
	@PYTHON="$(PYTHON)" scripts/install.sh lock

bench: $(INSTALLED) browser
	@PYTHON="$(PYTHON)" scripts/install.sh packages $(REQUIREMENTS) requirements-bench.txt
	@for name in throughput zoo scaling app_latency; do \
	  $(IN_VENV) -W ignore benchmarks/$$name.py $(ARGS) || exit $$?; done

soak: $(INSTALLED)
	@$(IN_VENV) -W ignore benchmarks/soak.py $(ARGS)

clean:
	rm -rf .venv build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache test-results benchmarks/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): $(REQUIREMENTS) requirements.lock pyproject.toml $(IN_VENV)
	@PYTHON="$(PYTHON)" scripts/install.sh packages $(REQUIREMENTS)
	@touch $@

$(INSTALLED_FOR_TESTS): requirements-dev.txt $(INSTALLED)
	@PYTHON="$(PYTHON)" scripts/install.sh packages $(REQUIREMENTS) requirements-dev.txt
	@touch $@

# Gone, as after an upgrade of the system's Python: everything is installed again.
$(IN_VENV): ;
