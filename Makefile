# The tasks of the project. `make` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh

OPA := go tool opa

# The race detector needs a C compiler; without one the tests run without it.
RACE := $(shell command -v gcc >/dev/null 2>&1 && echo -race)
FUZZTIME ?= 10s
ADDR ?= 127.0.0.1:8181

.PHONY: help run build test check lint fmt fuzz bench golden

help: ## list the targets
	@sed -n 's/^\([a-z]*\): .*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null || grep '##' Makefile

run: build ## serve the sample directory on 127.0.0.1:8181
	bin/wardkeeper serve --addr $(ADDR) --directory testdata/directories/sample.yaml

build: ## build bin/wardkeeper
	@mkdir -p bin
	go build -o bin/wardkeeper ./cmd/wardkeeper

test: ## run every test: the policies' own with their coverage, then Go's
	@mkdir -p bin
	@echo '$(OPA) test policies'
	@$(OPA) test --timeout 5m --coverage --threshold 95 policies >bin/opa-test.log 2>&1 || { cat bin/opa-test.log; exit 1; }
	@sed -n 's/^  "coverage": \([0-9.]*\)$$/ok  	policies, every Rego test, \1 % covered/p' bin/opa-test.log
	go test -timeout 30m $(RACE) ./...

check: lint test fuzz ## everything that CI runs

lint: ## formatting, vet, staticcheck, and OPA's strict check with the schema of the input
	@test -z "$$(gofmt -l .)" || { echo 'not formatted (make fmt):'; gofmt -l .; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	$(OPA) fmt --fail --list policies
	$(OPA) check --strict --schema policies/schemas/input.json policies/authz

fmt: ## format Go and Rego
	gofmt -w .
	$(OPA) fmt --write policies

fuzz: ## run each fuzz target for FUZZTIME (10s)
	.ci/fuzz $(FUZZTIME)

bench: ## benchmark decisions, the HTTP server, loading, and reloading under load
	go test -run '^$$' -bench . -benchmem ./pdp ./pdp/httpapi ./pdp/membership ./cmd/wardkeeper

golden: ## rewrite the golden decisions; the diff is the review of a policy change
	@go test ./cmd/wardkeeper -run '^TestGoldenDecisions$$' -update
	@git --no-pager diff --stat -- testdata/decisions 2>/dev/null || true
