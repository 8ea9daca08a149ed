# What one does with Cairn's code. `make help` lists it.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Pure Go: one binary for every machine, and no compiler needed to build it.
export CGO_ENABLED := 0

# What test, race and bench look at, e.g. make test PACKAGES=./internal/detect/...
PACKAGES ?= ./...
# How much each fuzz target runs: a number of inputs (20000x) or a time (30s). CI
# counts: Go's fuzzer now and then fails a target whose time ends in the middle
# of an input ("context deadline exceeded") though it found nothing.
FUZZTIME ?= 20000x

LINT := go tool -modfile=tools/go.mod golangci-lint

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build and start the demo: everything simulated, nothing to configure
	@exec bin/cairn demo

.PHONY: build
build: ## build bin/cairn
	go build -o bin/cairn ./cmd/cairn

.PHONY: test
test: ## run the tests on SQLite and PostgreSQL (found, or installed where apt-get may)
	scripts/with-postgres.sh --install go test $(PACKAGES)

.PHONY: race
race: ## the same with the race detector (needs a C compiler)
	CGO_ENABLED=1 scripts/with-postgres.sh --install go test -race $(PACKAGES)

.PHONY: chaos
chaos: ## everything goes wrong at once: 10,000 incidents become tickets (CAIRN_CHAOS says how many; make test does 150)
	CAIRN_CHAOS=$${CAIRN_CHAOS:-10000} scripts/with-postgres.sh --install go test -v -timeout 3h -run TestChaos ./internal/ticketing

.PHONY: lint
lint: ## check style and house rules (.golangci.yml)
	$(LINT) run --allow-parallel-runners $(PACKAGES)

.PHONY: format
format: ## put imports and layout in order
	$(LINT) fmt

.PHONY: bench
bench: ## run the benchmarks
	scripts/with-postgres.sh --install go test -run '^$$' -bench . -benchmem $(PACKAGES)

.PHONY: evaluate
evaluate: ## measure the rules on simulated life and intrusions: 2,000 accounts, 30 days, 6 seeds
	CAIRN_EVALUATE=60 go test ./internal/detect -run '^TestEvaluation$$' -count 1 -timeout 60m -v

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME
	scripts/fuzz.sh $(FUZZTIME)

.PHONY: generate
generate: ## write the generated code again
	go generate ./...

.PHONY: check-generated
check-generated: ## fail where the generated code is not what generate writes
	scripts/check-generated.sh

.PHONY: explorer
explorer: ## build the GraphQL explorer's embedded assets again (needs Node)
	cd web/explorer && npm ci && npm run build

.PHONY: generate-intel
generate-intel: ## make the shipped address tables again (fetches them with npm)
	go run ./internal/intel/gen

.PHONY: migration
migration: ## write the next migration: make migration name=what_changes
	@[[ "$(name)" =~ ^[a-z0-9_]+$$ ]] || { echo 'usage: make migration name=what_changes' >&2; exit 2; }
	@env -u CAIRN_TEST_POSTGRES -u CAIRN_TEST_SKIP_POSTGRES scripts/with-postgres.sh --install \
		sh -c 'go run ./internal/database/newmigration "$(name)" "$$CAIRN_TEST_POSTGRES"'

.PHONY: clean
clean: ## remove what was built
	rm -rf bin .cache
