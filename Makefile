# Aliases only: noxfile.py has the sessions.
NOX = .venv/bin/nox --no-error-on-missing-interpreters -s
PYTHON = python3
UV_VERSION = 0.13.9

# In these locales, Python does not start from a path with letters beyond ASCII (site.py reads the path as ASCII).
ifneq ($(filter C POSIX,$(LC_ALL)),)
export LC_ALL := C.UTF-8
$(info LC_ALL is C.UTF-8 for this run: with C or POSIX, Python does not start from a path with letters beyond ASCII)
endif

.PHONY: help setup build check check-fast demo test lint e2e serve stack bench baseline doctor clean

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

setup: .venv/.ready ## make the environment (.venv) from uv.lock

.venv/.ready: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "hardener needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 8; }
	@$(PYTHON) -m venv .venv || { echo "hint: apt-get install python3-venv"; exit 8; }
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@.venv/bin/uv sync --locked --quiet
	@touch $@

build: setup ## build the hardened archive of real Jitsi Meet into dist/
	@$(NOX) build -- $(ARGS)

check: setup ## apply all patches and overlays without building
	@$(NOX) check -- $(ARGS)

demo: setup ## build the embedded demo upstream
	@$(NOX) demo -- $(ARGS)

test: setup ## run lint, types and all tests
	@$(NOX) lint test -- $(ARGS)

check-fast: setup ## run lint, types and the quick unit tests
	@$(NOX) check-fast -- $(ARGS)

lint: setup ## check style and types
	@$(NOX) lint

e2e: setup ## run the browser tests
	@$(NOX) e2e -- $(ARGS)

serve: setup ## show the built site to the browsers of this machine
	@$(NOX) serve -- $(ARGS)

stack: setup ## run the bundle with an XMPP server in containers: make stack ARGS=up|down|logs|status
	@$(NOX) stack -- $(ARGS)

bench: setup ## compare our build with upstream's own
	@$(NOX) bench -- $(ARGS)

baseline: setup ## measure the unpatched upstream, for the summary
	@$(NOX) baseline -- $(ARGS)

doctor: setup ## list missing prerequisites
	@$(NOX) doctor -- $(ARGS)

clean: setup ## remove the work area
	@.venv/bin/hardener clean
