# `make help` lists the targets. demo and test only need Go and make.

export GOTOOLCHAIN = local

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
IMAGE   ?= ghcr.io/bizmatters/dragonfly-generator
BUILDER ?= golang:1.26
CACHE         = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dragonfly-generator
# Kubernetes takes many minutes to build, so its programs are built once, into the user's cache.
KUBERNETES    = $(shell sed -n 's/.*k8s.io.kubernetes v\([0-9.]*\).*/\1/p' tools/kubernetes/go.mod)
PROGRAMS      = $(CACHE)/kubernetes/$(KUBERNETES)
CONTROL_PLANE = $(addprefix $(PROGRAMS)/,etcd kubectl kube-apiserver kube-controller-manager kube-scheduler)
NODE          = $(addprefix $(PROGRAMS)/,kubelet kube-proxy coredns pause)
# If you set this to your own folder with a control plane, it is used as is.
ASSETS        = $(if $(wildcard $(KUBEBUILDER_ASSETS)/kube-scheduler),$(KUBEBUILDER_ASSETS),$(PROGRAMS))
OPERATOR      = v1.6.1
# The operator's CRD, v1.6.1: your own file, or downloaded.
DRAGONFLY_OPERATOR_CRD ?= $(CACHE)/dragonfly-operator-crd-$(OPERATOR).yaml
# DIST is where a release is built, for each of PLATFORMS.
DIST      ?= dist
PLATFORMS  = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
# PLAYGROUND is where the playground page is built.
PLAYGROUND ?= bin/playground
# The same program for everyone: Go settings that affect the program are set here, whatever the user's own are.
REPRODUCIBLY = env -u GOEXPERIMENT GOFLAGS='-trimpath -buildvcs=false' GOWORK=off CGO_ENABLED=0 GOAMD64=v1 GOARM64=v8.0 GOFIPS140=off
LDFLAGS  = -s -w -X github.com/bizmatters/dragonfly-generator/internal/cli.version=$(VERSION)

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Only manifests go to stdout. go build -v lists each package that it compiles on stderr, so that the terminal shows
# progress.
.PHONY: demo
demo: ## Print the manifests of the example (needs Go; the first run compiles for a few minutes)
	@echo "compiling the function and a small program on kustomize's library; this takes a few minutes the first time" >&2
	@CGO_ENABLED=0 go build -v -trimpath -ldflags '$(LDFLAGS)' -o bin/dragonfly-generator .
	@CGO_ENABLED=0 go build -v -trimpath -ldflags '-s -w' -o bin/kustomize-build ./tools/kustomize-build
	@echo "kustomize build --enable-alpha-plugins --enable-exec examples/agent-executor-cache" >&2
	@PATH="$(CURDIR)/bin:$$PATH" bin/kustomize-build examples/agent-executor-cache

# Without the deliberately slow tests. vet is part of lint.
QUICK = $$(go list ./... | grep -Ev '/test/(bench|faults|hostile)$$')

.PHONY: test
test: ## Run the fast tests (needs Go; the first run compiles for a few minutes)
	@echo "compiling whatever is not compiled yet, one line per package; the first time takes a few minutes"
	@go build -v $$(go list -f '{{join .TestImports "\n"}}{{"\n"}}{{join .XTestImports "\n"}}' $(QUICK) | sort -u)
	@echo "testing"
	@go test -vet=off $(QUICK)

.PHONY: test-all
test-all: test check-generated test-hostile test-faults ## Also run the tests that take minutes (needs Go)

.PHONY: test-hostile
test-hostile: ## Feed the program 100 MB, a million keys and broken streams (needs Go; a few minutes)
	@echo "feeding the program inputs that take long or use much memory; some take half a minute"
	go test -count=1 -v ./test/hostile

.PHONY: test-faults
test-faults: ## Kill the program hundreds of times while it writes, fill the disk, remove permissions (needs Go; a few minutes)
	@echo "killing the program while it writes, a few hundred times"
	go test -count=1 -v ./test/faults

.PHONY: check-generated
check-generated: ## Fail if schemas, Krmfile or reference are not what make generate writes (needs Go)
	go run -C tools/generate . -check

.PHONY: build
build: ## Build bin/dragonfly-generator (needs Go)
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/dragonfly-generator .

.PHONY: race
race: ## Run the tests that start goroutines under the race detector (needs Go and a C compiler)
	go test -race . ./internal/prepare/... ./test/node/standin

.PHONY: fuzz
fuzz: ## Fuzz each target for FUZZTIME: a time (default 20s) or a count such as 1000x (needs Go)
	@for target in generator:FuzzRun generator:FuzzClaim generator:FuzzConfiguration internal/prepare:FuzzSnapshot playground/preview:FuzzPreview; do \
		go test "./$${target%:*}" -run "^$$" -fuzz "^$${target#*:}$$" -fuzztime $(or $(FUZZTIME),20s) -fuzzminimizetime 20x || exit 1; \
	done

# On a machine that does other work, one round of the benchmarks is not enough, so there are BENCHCOUNT rounds.
.PHONY: bench
bench: build bin/sdk-noop bin/kustomize bin/helm bin/benchstat ## Compare the program's speed with others: benchmarks BENCH, BENCHCOUNT times (needs Go; 15 minutes)
	@docker info >/dev/null 2>&1 || echo "without a Docker Engine, functions in containers are not measured; to start one: dockerd --bridge=none --iptables=false"
	@rm -f bin/bench.txt
	@for _ in $$(seq $(or $(BENCHCOUNT),3)); do \
		PATH="$(CURDIR)/bin:$$PATH" go test ./test/bench -run "^$$" -bench "$(or $(BENCH),.)" -benchtime $(or $(BENCHTIME),2s) -timeout 60m >>bin/bench.txt || { cat bin/bench.txt; exit 1; }; \
	done
	@bin/benchstat -col /by bin/bench.txt

# The linter's cache contains the paths of the checkout that filled it. Once they are gone, the linter fails in another
# checkout with the same cache, so each has its own.
.PHONY: lint
lint: bin/golangci-lint bin/actionlint ## Check formatting, vet and lint (needs Go; the first run builds the linter for a few minutes)
	@unformatted="$$(gofmt -l .)"; test -z "$$unformatted" || { echo "run gofmt on: $$unformatted"; exit 1; }
	@for os in linux darwin windows; do \
		echo "go vet for $$os, all tests included"; \
		GOOS=$$os go vet -tags e2e,conformance,dist,node,kind ./... || exit 1; \
	done
	go vet -C tools/generate . && go vet -C playground/test .
	GOLANGCI_LINT_CACHE="$(CURDIR)/bin/golangci-lint-cache" bin/golangci-lint run --allow-parallel-runners --build-tags e2e,conformance,dist,node,kind
	bin/actionlint

# The SBOMs contain the hash of the program that wrote them, so they are reproducible only on the same platform.
.PHONY: dist
dist: bin/cyclonedx-gomod ## Build the release VERSION into dist: programs, SBOMs, completions, checksums (needs Go)
	@rm -rf "$(DIST)" && mkdir -p "$(DIST)"
	@for platform in $(PLATFORMS); do \
		os=$${platform%/*} arch=$${platform#*/}; \
		case $$os in windows) exe=.exe ;; *) exe= ;; esac; \
		program="$(DIST)/dragonfly-generator_$(VERSION)_$${os}_$$arch$$exe"; \
		GOOS=$$os GOARCH=$$arch $(REPRODUCIBLY) go build -ldflags '$(LDFLAGS)' -o "$$program" . || exit 1; \
		bin/cyclonedx-gomod bin -json -std -noserial -notimestamp -version '$(VERSION)' -output "$$program.cdx.json" "$$program" || exit 1; \
	done
	@$(REPRODUCIBLY) go build -ldflags '$(LDFLAGS)' -o "$(DIST)/host" . && \
	for shell in bash:bash zsh:zsh fish:fish powershell:ps1; do \
		"$(DIST)/host" completion "$${shell%:*}" >"$(DIST)/dragonfly-generator_$(VERSION).$${shell#*:}" || exit 1; \
	done; rm "$(DIST)/host"
	@cd "$(DIST)" && LC_ALL=C && sha256sum dragonfly-generator_* >SHA256SUMS && cat SHA256SUMS

.PHONY: dist-test
dist-test: ## Build a release twice, in two places, and check its contents (needs Go)
	go test -tags dist -count=1 -timeout 30m -v ./test/release

.PHONY: image
image: ## Build the container image (needs Docker, and a registry to pull BUILDER from)
	docker build --build-arg BUILDER=$(BUILDER) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) -t $(IMAGE):$(VERSION) .

.PHONY: e2e
e2e: build bin/kustomize ## Run kustomize, kpt and Docker end to end (needs a Docker Engine and kpt)
	PATH="$(CURDIR)/bin:$$PATH" go test -tags e2e -count=1 -timeout 30m -v ./test/e2e

.PHONY: conformance
conformance: build bin/kustomize bin/helm bin/kube-score bin/argocd-diff bin/flux-apply bin/cert-manager $(if $(filter $(PROGRAMS),$(ASSETS)),$(CONTROL_PLANE)) $(DRAGONFLY_OPERATOR_CRD) ## Apply the manifests to a real control plane (needs Linux and Go; the first run builds Kubernetes for several minutes; downloads a CRD)
	PATH="$(CURDIR)/bin:$(ASSETS):$$PATH" KUBEBUILDER_ASSETS="$(ASSETS)" DRAGONFLY_OPERATOR_CRD="$(abspath $(DRAGONFLY_OPERATOR_CRD))" go test -tags conformance -count=1 -timeout 30m -parallel 6 -v $(if $(SKIP),-skip '$(SKIP)') ./test/conformance

.PHONY: operator-by-hand
operator-by-hand: ## Print how to run docs/operator.md by hand, with the real operator (needs Go)
	@go run ./tools/by-hand

.PHONY: node-test
node-test: build bin/kustomize bin/cert-manager $(CONTROL_PLANE) $(NODE) ## Run the pods on a real node, with a stand-in for Dragonfly or with the program DRAGONFLY (needs root, Debian and Go; the first run builds Kubernetes, 37 CPU minutes)
	@CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/dragonfly-standin ./test/node/standin
	DRAGONFLY="$(if $(DRAGONFLY),$(abspath $(DRAGONFLY)))" NODE_PROGRAMS="$(PROGRAMS)" test/node/cluster.sh run go test -tags node -count=1 -timeout 30m -parallel 8 -v $(if $(RUN),-run '$(RUN)') ./test/node

.PHONY: kind-test
kind-test: bin/kind bin/kustomize ## Run the quickstart on kind, with the real Dragonfly (needs Docker, kubectl, kpt, and a network to pull images)
	go test -tags kind -count=1 -timeout 45m -v ./test/kind

.PHONY: observability-test
observability-test: bin/promtool ## Check alerts, dashboard and PodMonitors with promtool (needs Go; the first run builds promtool for a few minutes)
	PATH="$(CURDIR)/bin:$$PATH" go test -C tools/prometheus -count=1 .

.PHONY: s3-test
s3-test: build ## Keep snapshots in a real S3 server, with a stand-in for Dragonfly (needs Go; downloads modules; the first run compiles for a few minutes)
	PATH="$(CURDIR)/bin:$$PATH" CGO_ENABLED=0 go test -C tools/s3 -count=1 -v .

.PHONY: secretmakers-test
secretmakers-test: ## Compare the table of objects that make Secrets with their operators (needs Go; downloads modules)
	go test -C tools/secretmakers -count=1 .

.PHONY: playground
playground: playground-build ## Try the generator in a browser, on localhost (needs Go)
	@go run ./playground/serve -dir "$(PLAYGROUND)"

# Without inlining, the program is a sixth smaller, and a claim still takes only milliseconds. The file is compressed
# here, because not every server does that. If zopfli is installed, as for the published page, it spends a minute to
# make the file 4% smaller.
.PHONY: playground-build
playground-build: ## Build the playground into PLAYGROUND, by default bin/playground (needs Go)
	@rm -rf "$(PLAYGROUND)" && mkdir -p "$(PLAYGROUND)"
	@echo "compiling the generator to WebAssembly, which takes a few minutes the first time"
	@GOOS=js GOARCH=wasm $(REPRODUCIBLY) go build -gcflags=all=-l -ldflags '-s -w' -o "$(PLAYGROUND)/generator.wasm" ./playground/wasm
	@if command -v zopfli >/dev/null; then zopfli --i1 "$(PLAYGROUND)/generator.wasm" && rm "$(PLAYGROUND)/generator.wasm"; \
	else gzip -9n "$(PLAYGROUND)/generator.wasm"; fi
	@cp playground/*.html playground/*.css playground/*.js playground/*.svg "$$(go env GOROOT)/lib/wasm/wasm_exec.js" "$(PLAYGROUND)"
	@echo "built $(PLAYGROUND)"

.PHONY: playground-test
playground-test: playground-build ## Test the playground in a headless browser (needs Go, Chromium and zopfli)
	PLAYGROUND="$(abspath $(PLAYGROUND))" go test -C playground/test -count=1 -timeout 30m -v .

.PHONY: generate
generate: ## Write the schemas, the Krmfile and the reference from the Go types of the API (needs Go)
	go run -C tools/generate .

.PHONY: operator-crd
operator-crd: $(DRAGONFLY_OPERATOR_CRD)

.PHONY: update
update: ## Rewrite the golden files with the program's output; review with git diff (needs Go)
	go test . ./examples ./test/script -update
	go test ./docs -update

.PHONY: update-e2e
update-e2e: build bin/kustomize ## The same for the examples with kpt and Docker (needs both)
	PATH="$(CURDIR)/bin:$$PATH" go test -tags e2e -count=1 -timeout 30m ./test/e2e -update

.PHONY: clean
clean: ## Remove bin and dist
	rm -rf bin dist

# The cache is never rebuilt: a new version of etcd or CoreDNS needs another folder, or an empty one.
ANNOUNCE = @mkdir -p "$(@D)" && echo "building $(@F) into $(@D)"

$(PROGRAMS)/kube%:
	$(ANNOUNCE)
	CGO_ENABLED=0 go build -C tools/kubernetes -o "$@" -ldflags '-s -w -X k8s.io/component-base/version.gitVersion=v$(KUBERNETES) -X k8s.io/client-go/pkg/version.gitVersion=v$(KUBERNETES)' k8s.io/kubernetes/cmd/$(@F)

$(PROGRAMS)/etcd:
	$(ANNOUNCE)
	CGO_ENABLED=0 go build -C tools/etcd -o "$@" -ldflags '-s -w' go.etcd.io/etcd/server/v3

$(PROGRAMS)/coredns:
	$(ANNOUNCE)
	CGO_ENABLED=0 go build -C tools/coredns -o "$@" -ldflags '-s -w' .

$(PROGRAMS)/pause: test/node/pause/main.go
	$(ANNOUNCE)
	CGO_ENABLED=0 go build -o "$@" -ldflags '-s -w' ./test/node/pause

$(CACHE)/dragonfly-operator-crd-$(OPERATOR).yaml:
	@mkdir -p "$(@D)"
	curl --connect-timeout 20 -fsSLo "$@.part" https://raw.githubusercontent.com/dragonflydb/dragonfly-operator/$(OPERATOR)/manifests/crd.yaml
	mv "$@.part" "$@"

bin/kustomize: tools/kustomize/go.mod
	@go build -C tools/kustomize -o $(CURDIR)/bin/kustomize sigs.k8s.io/kustomize/kustomize/v5

bin/kube-score: tools/kube-score/go.mod
	@go build -C tools/kube-score -o $(CURDIR)/bin/kube-score github.com/zegl/kube-score/cmd/kube-score

# Argo CD's module pulls in most of Kubernetes.
bin/argocd-diff: tools/argocd-diff/main.go tools/argocd-diff/go.mod
	@CGO_ENABLED=0 go build -C tools/argocd-diff -o "$(CURDIR)/bin/argocd-diff" -ldflags '-s -w' .

bin/flux-apply: tools/flux-apply/main.go tools/flux-apply/go.mod
	@CGO_ENABLED=0 go build -C tools/flux-apply -o "$(CURDIR)/bin/flux-apply" -ldflags '-s -w' .

bin/cert-manager: tools/cert-manager/main.go tools/cert-manager/go.mod
	@CGO_ENABLED=0 go build -C tools/cert-manager -o "$(CURDIR)/bin/cert-manager" -ldflags '-s -w' .

bin/sdk-noop: test/bench/sdk-noop/main.go go.mod
	@CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/sdk-noop ./test/bench/sdk-noop

bin/helm: tools/helm/go.mod
	@CGO_ENABLED=0 go build -C tools/helm -trimpath -ldflags '-s -w' -o $(CURDIR)/bin/helm helm.sh/helm/v3/cmd/helm

bin/kind: tools/kind/go.mod
	@CGO_ENABLED=0 go build -C tools/kind -trimpath -ldflags '-s -w' -o "$(CURDIR)/bin/kind" sigs.k8s.io/kind

bin/benchstat: tools/benchstat/go.mod
	@go build -C tools/benchstat -o $(CURDIR)/bin/benchstat golang.org/x/perf/cmd/benchstat

# Without the clients for all the clouds in which Prometheus can discover targets.
bin/promtool: tools/prometheus/go.mod
	@go build -C tools/prometheus -tags remove_all_sd -o "$(CURDIR)/bin/promtool" github.com/prometheus/prometheus/cmd/promtool

bin/golangci-lint: tools/golangci-lint/go.mod
	@go build -C tools/golangci-lint -o $(CURDIR)/bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint

bin/actionlint: tools/actionlint/go.mod
	@go build -C tools/actionlint -o "$(CURDIR)/bin/actionlint" github.com/rhysd/actionlint/cmd/actionlint

# Always rebuilt, because its hash is in its output, and the Go version may have changed.
.PHONY: bin/cyclonedx-gomod
bin/cyclonedx-gomod:
	@$(REPRODUCIBLY) go build -C tools/cyclonedx-gomod -o "$(CURDIR)/bin/cyclonedx-gomod" github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
