# One command each; the work is done by scripts/*.sh. `make PG_CONFIG=/path/to/pg_config …` chooses
# another Postgres than the one that scripts/setup.sh finds or installs.

.DEFAULT_GOAL := help
.PHONY: help demo test bench serve stop psql install lint static clean setup setup-tests debug release

target := $(abspath $(or $(CARGO_TARGET_DIR),target))

help: ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

demo: release ## install what is missing, build, and walk through timedb on a throw-away server
	@scripts/private-server.sh run --fsync -- $(target)/release/walkthrough

test: setup-tests debug ## install what is missing, run every test, and count them by layer
	@scripts/test.sh

bench: ## measure timedb against its peers, under 30 minutes; some of it: make bench W=W4,W5
	@scripts/bench.sh "$(W)"

serve: release ## leave a private server running, with a fresh database timedb
	@scripts/private-server.sh serve

stop: ## stop the server of `make serve` and remove it
	@scripts/private-server.sh stop

psql: ## open psql on the server of `make serve`
	@scripts/private-server.sh psql

install: release ## install into the Postgres that PG_CONFIG names
	@scripts/install.sh

lint: setup ## check the format, and clippy with no warning let pass
	@scripts/lint.sh

static: setup-tests debug ## look for what no test runs: SQL that could be captured, crates from elsewhere
	@scripts/static.sh

clean: stop ## remove everything that was built
	cargo clean

debug release: setup
	@scripts/build.sh $@

setup:
	@scripts/setup.sh

setup-tests:
	@scripts/setup.sh tests
