# `make help` lists what there is. Needs Go and make; everything else is fetched by Go or found at run time.

GO       ?= go
TIMEOUT  ?= 40m
# How long `make fuzz` gives each target, and how often `make bench` repeats a benchmark (benchstat wants 6 or more).
FUZZTIME ?= 20s
COUNT    ?= 1
BENCH    ?= .

GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
TESTPG      := ./foundation/sqldb/sqldbtest/postgrestest/testpg

# The tools are built with the toolchain of this module, whatever their own go.mod asks for: golangci-lint refuses code
# newer than the Go that built it. GOFLAGS of the user (say -mod=vendor) are for this module, not for the tools.
RUN_TOOL = GOTOOLCHAIN=$$($(GO) env GOVERSION | cut -d' ' -f1)+auto GOFLAGS=-buildvcs=false $(GO) run

.DEFAULT_GOAL := help
.PHONY: help run test test-race lint bench fuzz cover openapi clean postgres

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start the reference server with demo data
	$(GO) run ./refserver --demo

test: postgres ## run all tests, with PostgreSQL and SQLite
	$(GO) test -timeout $(TIMEOUT) ./...

test-race: postgres ## the same with the race detector (needs a C compiler)
	@CGO_ENABLED=1; export CGO_ENABLED; cc=$$($(GO) env CC); \
	command -v "$${cc%% *}" >/dev/null || { echo "make test-race: the race detector needs a C compiler ($$cc)" >&2; exit 1; }; \
	set -x; $(GO) test -race -timeout $(TIMEOUT) ./...

# Before the tests, so that an installation is seen and is not counted in a test's time. The URL holds a password.
postgres:
	@$(GO) run $(TESTPG) up >/dev/null

lint: ## check the format, go vet, golangci-lint and known vulnerabilities
	@unformatted=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .) && [ -z "$$unformatted" ] || { echo "gofmt -w these:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(RUN_TOOL) $(GOLANGCI) run ./...
	@echo "govulncheck ./..."; \
	if out=$$($(RUN_TOOL) $(GOVULNCHECK) ./... 2>&1); then echo "$$out" | tail -n 5; else \
	  case "$$out" in \
	    *"exit status 3"*) echo "$$out"; exit 1;; \
	    *"reading https://"*|*"fetching vulnerabilities"*|*"dial tcp"*|*vuln.go.dev*) \
	      echo "not checked for known vulnerabilities: govulncheck or its database cannot be reached from here";; \
	    *) echo "$$out"; exit 1;; \
	  esac; \
	fi

bench: postgres ## run the benchmarks (BENCH=regexp COUNT=n), in the form that benchstat reads
	@pkgs=$$(grep -rlE --include='*_test.go' '^func Benchmark' . | xargs -r -n1 dirname | sort -u); \
	[ -n "$$pkgs" ] || { echo "no benchmarks"; exit 0; }; \
	set -x; $(GO) test -p 1 -timeout 60m -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $$pkgs

fuzz: ## fuzz each target for FUZZTIME
	@set -e; pkgs=$$(grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u); \
	for pkg in $$pkgs; do \
	  targets=$$($(GO) test -list '^Fuzz' $$pkg); \
	  for target in $$(echo "$$targets" | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

cover: postgres ## run all tests and write coverage.html
	$(GO) test -timeout $(TIMEOUT) -covermode atomic -coverpkg ./... -coverprofile coverage.out ./...
	$(GO) tool cover -html coverage.out -o coverage.html
	$(GO) tool cover -func coverage.out | tail -n 1

openapi: ## write the golden OpenAPI document anew
	$(GO) test ./refserver/server -run TestOpenAPI -update

clean: ## stop the tests' private PostgreSQL and remove what the targets made
	$(GO) run $(TESTPG) down
	rm -f coverage.out coverage.html
