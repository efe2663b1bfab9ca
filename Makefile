# The tasks of the project. `make` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh

OPA := go tool opa

# `make lint` runs vet. Only debuggers read what -w leaves out, and linking it takes seconds for each of many packages.
# Tests, compiler and linker spend less time collecting garbage than by default.
GOTEST := GOGC=400 go run ./.ci/gotest -vet=off -ldflags=-w
# How many of a package's tests run at the same time where most of them wait for servers.
WAITING := -parallel $$((2 * $$(getconf _NPROCESSORS_ONLN)))
# Programs of the project's own work. Go's patterns leave out folders whose names begin with a dot, and testdata.
TOOLS := ./.ci/gotest ./.ci/benchpeers ./.ci/benchpeers/echo ./.ci/benchscale ./.ci/benchfleet
FUZZTIME ?= 10s
SIZES ?= 1000,10000,200000,1000000
# Tests of cmd/wardkeeper that ask fewer questions under the race detector.
SEQUENTIAL := TestGoldenDecisions|TestGoldenDecisionsThroughTheCache|TestGoldenDecisionsThroughTheGoAdapters|TestGoldenDecisionsThroughOPAsAPI|TestStockOPADecidesTheSame|TestMessagesNeverShowPasswords|TestReplayOfGoldenDecisions|TestDiffDecidesALogAgain|TestKilledServerRestartsWithTheSameOrANewerRelease
ADDR ?= 127.0.0.1:8181
# The checks of the adapters in other languages. The folder adapters/check is not one.
CHECKS := $(patsubst %,%.run,$(shell find adapters -mindepth 2 -maxdepth 2 -name check -type f | sort))

.PHONY: help run build test test-fast test-adapters $(CHECKS) dist prerequisites check lint fmt fuzz mutate bench bench-peers bench-scale bench-fleet golden

help: ## list the targets
	@sed -n 's/^\([a-z-]*\): .*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null || grep '##' Makefile

run: build ## serve the sample directory on 127.0.0.1:8181
	bin/wardkeeper serve --addr $(ADDR) --directory testdata/directories/sample.yaml

build: ## build bin/wardkeeper
	@mkdir -p bin
	go build -o bin/wardkeeper ./cmd/wardkeeper

test: prerequisites ## run every test, the policies' own among them, with the race detector and real servers
# The longest first, most of which wait for servers, and two packages more at a time than there are processors: the others use
# them meanwhile.
	$(GOTEST) -timeout 30m -race $(WAITING) -p $$(($$(getconf _NPROCESSORS_ONLN) + 2)) ./cmd/wardkeeper ./pdp/membership/redisstore \
		./pdp/membership/pgorigin ./pdp ./bundles $$(go list ./... | grep -v '/policies$$') $(TOOLS)
# Without the race detector, the tests that ask many questions, one after another, ask all of them. Those of policies have no
# goroutines.
	$(GOTEST) -timeout 30m ./pdp ./pdp/attack ./pdp/proof ./pdp/proof/explore ./pdp/proof/smt ./bundles ./bundles/plan ./policies \
		./cmd/wardkeeper/internal/mutation
	$(GOTEST) -timeout 30m -run '^($(SEQUENTIAL))$$' ./cmd/wardkeeper

test-fast: ## run the tests that need no server, without the race detector: for the work at hand
# The longest packages first.
	$(GOTEST) -short -p $$(($$(getconf _NPROCESSORS_ONLN) + 1)) ./cmd/wardkeeper ./pdp ./... $(TOOLS)

test-adapters: prerequisites ## check the adapters in other languages: each builds its package and tries it with its frameworks
# One more at a time than there are processors: a check often waits, for servers that start and requests that time out.
	@$(MAKE) --no-print-directory --output-sync=target -j $$(($$(getconf _NPROCESSORS_ONLN) + 1)) $(CHECKS)

$(CHECKS): %.run:
	@$*

dist: ## build the packages of the adapters in other languages into bin/dist
	@for dist in adapters/*/dist; do [ -d "$$dist" ] || "$$dist" bin/dist || exit 1; done
	@ls -l bin/dist

release: ## build the static binaries for Linux (amd64, arm64) into bin/release, with bills of materials and checksums
	@rm -rf bin/release
	@adapters/deploy/dist bin/release
	@adapters/deploy/sbom bin/release
	@cd bin/release && sha256sum * >SHA256SUMS && cat SHA256SUMS

prerequisites: ## install the programs that the tests run
	@.ci/prerequisites

check: lint test fuzz ## everything that CI runs

lint: ## formatting, vet, staticcheck, and OPA's strict check with the schema of the input
	@test -z "$$(gofmt -l .)" || { echo 'not formatted (make fmt):'; gofmt -l .; exit 1; }
	go vet ./... $(TOOLS) ./testdata/clinic ./testdata/clinic/script
	go tool staticcheck ./... $(TOOLS) ./testdata/clinic ./testdata/clinic/script
	$(OPA) fmt --fail --list policies
	$(OPA) check --strict --schema policies/schemas/input.json policies/authz

fmt: ## format Go and Rego
	gofmt -w .
	$(OPA) fmt --write policies

fuzz: ## run each fuzz target for FUZZTIME (10s)
	.ci/fuzz $(FUZZTIME)

mutate: build ## measure what the policy's tests are worth, by thousands of small faults: before a release of a changed policy
	GOGC=400 bin/wardkeeper mutate policies --golden testdata --justified testdata/mutants.yaml

bench: ## benchmark decisions, the HTTP server, the Go adapters, loading, and reloading under load
	go test -run '^$$' -bench . -benchmem ./adapters/... ./pdp/... ./cmd/...

bench-peers: ## measure beside the stock OPA server for 6 minutes: bin/peers.md, bin/peers.svg (PEERS=-help lists options)
	go run ./.ci/benchpeers $(PEERS)

bench-scale: ## measure up to a million users over PostgreSQL and Redis: bin/scale.md, bin/scale.svg (SIZES=1000,10000,...)
	@mkdir -p bin
	go test -v ./.ci/benchscale -count=1 -timeout 4h -run '^TestScale$$' -args -sizes $(SIZES) -asked 200 -out "$$PWD/bin"

bench-fleet: ## measure 50 sidecars over PostgreSQL and Redis, and a Redis that 1,000 follow (FLEET='-lease 1s' and the like)
	go test -v ./.ci/benchfleet -count=1 -timeout 20m -run '^TestFleet$$' -args -sidecars 50 -users 300 -phase 30s -connections 20 -fetch-timeout 2s $(FLEET)
	go test -v ./pdp/membership/relay -count=1 -timeout 10m -run '^TestFollowers$$' -args -followers 1000 -following 20s

golden: ## rewrite the golden decisions and explanations; the diff is the review of a policy change
	@go test ./cmd/wardkeeper -run '^(TestGoldenDecisions|TestExplanations)$$' -update
	@git --no-pager diff --stat -- testdata/decisions 2>/dev/null || true
