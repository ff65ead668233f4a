//go:build linux

// Package bench compares the program with others that do part of its work. Run `make bench`.
//
// Every program runs in its own process, from a file to /dev/null, as orchestrators run it. Within a benchmark, their
// names differ only in the part /by=, so `benchstat -col /by` shows them side by side. Machines are noisy and differ,
// so what counts is the ratio of two columns from the same run.
package bench

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkColdStart renders one claim. It measures the cost of the SDK in two ways: on the program's output, as the
// other benchmarks do, and on the claim alone.
func BenchmarkColdStart(b *testing.B) {
	claim := newInput(b, claims(1))
	output := expanded(b, claim)
	b.Run("by=sdk", func(b *testing.B) { run(b, "sdk-noop", output) })
	b.Run("by=generator", func(b *testing.B) { run(b, "dragonfly-generator", claim) })
	b.Run("by=sdk-on-the-claim", func(b *testing.B) { run(b, "sdk-noop", claim) })
	b.Run("by=helm", func(b *testing.B) {
		run(b, "helm", noInput, "template", "my-cache", "testdata/chart", "--namespace", "my-namespace")
	})
}

// BenchmarkClaims renders claims and nothing else.
func BenchmarkClaims(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run("n="+strconv.Itoa(n), func(b *testing.B) {
			input := newInput(b, claims(n))
			sideBySide(b, input, expanded(b, input))
		})
	}
}

// BenchmarkOthers renders one claim among other resources.
func BenchmarkOthers(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run("n="+strconv.Itoa(n), func(b *testing.B) {
			input := newInput(b, claims(1), deployments(n))
			sideBySide(b, input, expanded(b, input))
		})
	}
}

// BenchmarkSecondRender renders a package that is already rendered, as kpt does: nothing changes.
func BenchmarkSecondRender(b *testing.B) {
	for _, n := range []int{1, 100, 1_000} {
		b.Run("n="+strconv.Itoa(n), func(b *testing.B) {
			output := expanded(b, newInput(b, kptfile, claims(n)))
			sideBySide(b, output, output)
		})
	}
}

// BenchmarkKustomize runs a whole build, the time that people wait: with the function as a program and as a container,
// next to the same build with a function that does nothing, and next to Helm with a release for each claim. Kustomize's
// own time grows with the square of the number of resources, so a function that returns the same output as ours and
// does nothing else is measured too, as by=sdk.
func BenchmarkKustomize(b *testing.B) {
	const plugins, exec = "--enable-alpha-plugins", "--enable-exec"
	for _, n := range []int{1, 10, 100} {
		b.Run("n="+strconv.Itoa(n), func(b *testing.B) {
			input := newInput(b, claims(n))
			output := expanded(b, input)
			build := func(by, flags, call string, resources file) {
				folder := kustomization(b, call, resources)
				b.Run("by="+by, func(b *testing.B) {
					run(b, "bash", noInput, "-euc", "kustomize build "+flags+" "+folder)
				})
			}
			build("nothing", plugins+" "+exec, program(b, "sdk-noop"), input)
			build("sdk", plugins+" "+exec, program(b, "sdk-noop"), output)
			build("generator", plugins+" "+exec, program(b, "dragonfly-generator"), input)
			b.Run("by=helm", func(b *testing.B) {
				run(b, "bash", noInput, "-euc", "for i in $(seq "+strconv.Itoa(n)+"); do helm template cache-$i testdata/chart --namespace my-namespace; done")
			})
			if !hasDocker() {
				b.Log("without a Docker Engine, by=container and by=container-nothing are not measured; to start one: dockerd --bridge=none --iptables=false")
				return
			}
			build("container-nothing", plugins, container(b, "sdk-noop"), input)
			build("container", plugins, container(b, "dragonfly-generator"), input)
		})
	}
}

// BenchmarkManyClaims compares ways to render the same claims: with the function as a transformer of one kustomization
// or of three, with a call per claim, after a build without the function, and without kustomize.
func BenchmarkManyClaims(b *testing.B) {
	const n, packages = 300, 3
	all, part := newInput(b, claims(n)), newInput(b, claims(n/packages))
	const build = "kustomize build --enable-alpha-plugins --enable-exec "
	for _, way := range []struct{ by, command string }{
		{"transformer", build + kustomization(b, program(b, "dragonfly-generator"), all)},
		{"generators", build + generators(b, all)},
		{"three-packages", strings.Repeat(build+kustomization(b, program(b, "dragonfly-generator"), part)+"; ", packages)},
		{"filter", "kustomize build " + plain(b, all) + " | dragonfly-generator render -"},
		{"render", "dragonfly-generator render " + filepath.Join(plain(b, all), "resources.yaml")},
		{"kustomize-alone", "kustomize build " + plain(b, all)},
	} {
		b.Run("n="+strconv.Itoa(n)+"/by="+way.by, func(b *testing.B) { run(b, "bash", noInput, "-euo", "pipefail", "-c", way.command) })
	}
}

// sideBySide runs the program on an input, and the function that does nothing on the program's output.
func sideBySide(b *testing.B, input, output file) {
	b.Run("by=sdk", func(b *testing.B) { run(b, "sdk-noop", output) })
	b.Run("by=generator", func(b *testing.B) { run(b, "dragonfly-generator", input) })
}

// run measures a program: the time of a run, and its peak memory.
func run(b *testing.B, program string, stdin file, args ...string) {
	path := find(b, program)
	var peak int64
	for b.Loop() {
		peak = max(peak, start(b, exec.Command(path, args...), stdin, noOutput))
	}
	if peak > ownPeak(b) { // otherwise it is unknown, because a child starts with its parent's peak
		b.ReportMetric(float64(peak)/1e6, "MB-peak")
	}
}
