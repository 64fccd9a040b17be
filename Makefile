# The entry point to this repository. A target is a line or two; what is longer is in hack/.
.PHONY: setup build plugins image test chaos lint gen demo demo-down recording bench sim

setup: ## Check the tools that are needed, and install what rustup can.
	hack/setup

build: setup plugins ## The controller, the CLI (target/release) and the components (target/plugins).
	hack/reproducible cargo build --locked --release -p signet-controller -p signet-cli

plugins: ## The solver components, as target/plugins/*.wasm.
	hack/plugins

image: build ## An OCI image and its SBOM, in target/image; no container engine is needed.
	hack/image/build

test: setup plugins ## Every test, of the host and of the guests.
	hack/test

chaos: setup plugins ## Every fault at every point; hours on a small machine.
	hack/chaos

lint: setup ## Formatting and clippy; a warning fails.
	hack/lint

gen: ## The files that are made from the types.
	hack/gen

demo: setup plugins ## The main job on a real control plane; DEMO_EXIT=1 leaves nothing running.
	hack/demo

demo-down: ## Take the demo down.
	hack/demo down

recording: setup plugins ## docs/demo.svg, from a real run of the demo.
	DEMO_EXIT=1 hack/record docs/demo.svg 'make demo' hack/demo

sim: setup ## Ten thousand certificates over months at a CA that enforces its limits.
	SIM_CERTIFICATES=10000 cargo test --locked --release -p signet-core --test sim -- --nocapture

bench: setup plugins ## Measure on this machine.
	hack/bench
