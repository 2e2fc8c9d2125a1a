# One command each; the work is done by scripts/*.sh, without make by scripts/do.sh. `make PG_CONFIG=/path/to/pg_config …`
# chooses another Postgres than the one that scripts/setup.sh finds or installs.

.DEFAULT_GOAL := help
.PHONY: help demo test test-all bench serve http stop psql cli install lint static site deb clean setup debug release

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

demo: ## install what is missing, build, and walk through timedb on a throw-away server
	@scripts/do.sh demo

test: ## install what is missing, run every test, and count them by layer; on another version: make test PG=17
	@scripts/do.sh test

test-all: ## all tests on Postgres 15, 16, 17 and 18, which are fetched where they are not installed
	@scripts/do.sh test-all

bench: ## measure timedb against its peers, about 15 minutes; some of it: make bench W=W4,W5
	@scripts/do.sh bench "$(W)"

serve: ## leave a private server running, with a fresh database timedb
	@scripts/do.sh serve

http: ## the same, with an HTTP server in front: prints requests that work when pasted
	@scripts/do.sh http

stop: ## stop the server of `make serve`, and that of `make http`, and remove them
	@scripts/do.sh stop

psql: ## open psql on the server of `make serve`
	@scripts/do.sh psql

cli: ## build the command, target/release/timedb
	@scripts/do.sh cli

install: ## install into the Postgres that PG_CONFIG names
	@scripts/do.sh install

lint: ## check the format, and clippy with no warning let pass
	@scripts/do.sh lint

static: ## look for what no test runs: SQL that could be captured, crates from elsewhere, pages that make no site
	@scripts/do.sh static

site: ## the pages of docs/ as a site, target/site
	@scripts/do.sh site

deb: ## Debian packages of the extension and of the command, in target/deb
	@scripts/do.sh deb

clean: ## remove everything that was built, and the server of `make serve`
	@scripts/do.sh clean

setup debug release:
	@scripts/do.sh $@
