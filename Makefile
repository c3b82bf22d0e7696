# Plumb's commands. `make help` lists them.

SHELL       := /bin/bash
VERSION     ?= 0.1.0-dev
# The time of the commit is the least that an agent takes for the present.
BUILT       ?= $(shell git log -1 --format=%cI 2>/dev/null)
LDFLAGS     := -s -w -X main.version=$(VERSION) -X main.built=$(BUILT)
export CGO_ENABLED := 0

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/plumb and bin/plumb-agent, static and stripped
	@mkdir -p bin
	@echo "building bin/plumb and bin/plumb-agent (the first time takes a few minutes)"
	@go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/plumb ./cmd/plumb-agent

.PHONY: demo
demo: build ## The whole story on this machine, no root, changes nothing; ONCE=1 ends by itself
	@go run ./testenv/demo -bin bin $(if $(ONCE),-once)

.PHONY: test
test: ## Everything, on a fresh Debian machine; as root it installs what it needs by apt
	@.ci/test

.PHONY: check
check: ## The fast loop: format, vet, short tests
	@.ci/check

.PHONY: lint
lint: ## golangci-lint, built from source the first time
	@go tool -modfile=.ci/lint/go.mod golangci-lint run ./...

.PHONY: vuln
vuln: ## govulncheck; says so when it cannot reach its data
	@.ci/vulncheck

.PHONY: bench
bench: build ## How fast the agent is, beside a minimal program in one run; as root
	@go run ./testenv/bench -bin bin

.PHONY: bench-peers
bench-peers: build ## The same work in CFEngine, Puppet, Ansible and goss, which it installs by apt
	@go run ./testenv/bench -bin bin -peers

.PHONY: bench-server
bench-server: build ## How fast the server is, beside a bare net/http server in one run; five minutes
	@go run ./testenv/load -bin bin

.PHONY: bench-herd
bench-herd: build ## 100,000 hosts that enrol and return within five minutes; a quarter of an hour
	@go run ./testenv/load -bin bin -what herd -for 5m

.PHONY: bench-fleet
bench-fleet: ## Questions about 10,000 and 100,000 hosts, in SQLite and PostgreSQL, and their pages
	@go test ./server/store -run '^$$' -bench Fleet -benchtime 20x -timeout 60m
	@go test ./server/web -run '^$$' -bench Pages -benchtime 5x -timeout 60m

.PHONY: microbench
microbench: ## Go's benchmarks of single packages
	@go test -run '^$$' -bench . -benchtime 1s ./...

.PHONY: soak
soak: ## The campaigns in full: kill points, races, fuzzing (hours)
	@PLUMB_SOAK=1 go test -timeout 0 -count 1 ./...
	@.ci/fuzz 10m

.PHONY: fuzz
fuzz: ## Every fuzz test with a few thousand inputs
	@.ci/fuzz 5000x

.PHONY: fmt
fmt: ## Format the Go files
	@gofmt -l -w $$(git ls-files '*.go')

.PHONY: clean
clean: ## Remove what was built
	@rm -rf bin
