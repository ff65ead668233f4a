//go:build linux

// Package bench measures the program beside others that do a part of its work: `make bench`.
//
// Every program runs as a process of its own, from a file to /dev/null, as orchestrators run it. Those of
// one benchmark differ in the part /by= of its name only, so `benchstat -col /by` sets them side by side.
// Machines are noisy and differ, so what counts is the ratio of two columns of one run.
package bench

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkColdStart is one claim. For what the SDK costs there are two measures: on what the program
// writes, which is the other benchmarks' too, and on the claim alone.
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

// BenchmarkClaims is claims and nothing else.
func BenchmarkClaims(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run("n="+strconv.Itoa(n), func(b *testing.B) {
			input := newInput(b, claims(n))
			sideBySide(b, input, expanded(b, input))
		})
	}
}

// BenchmarkOthers is one claim among other resources.
func BenchmarkOthers(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run("n="+strconv.Itoa(n), func(b *testing.B) {
			input := newInput(b, claims(1), deployments(n))
			sideBySide(b, input, expanded(b, input))
		})
	}
}

// BenchmarkSecondRender is what kpt does to a package that has been rendered: nothing changes.
func BenchmarkSecondRender(b *testing.B) {
	for _, n := range []int{1, 100, 1_000} {
		b.Run("n="+strconv.Itoa(n), func(b *testing.B) {
			output := expanded(b, newInput(b, kptfile, claims(n)))
			sideBySide(b, output, output)
		})
	}
}

// BenchmarkKustomize is a whole build, as people wait for it: with the function as a program and as a container, beside
// the same build with a function that does nothing, and beside Helm with a release for each claim. Kustomize itself takes
// a time that grows with the square of the resources, so a function that gives what ours gives and does nothing else is
// measured too, as by=sdk.
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
				b.Log("without a Docker Engine, by=container and by=container-nothing are not measured; start one: dockerd --bridge=none --iptables=false")
				return
			}
			build("container-nothing", plugins, container(b, "sdk-noop"), input)
			build("container", plugins, container(b, "dragonfly-generator"), input)
		})
	}
}

// BenchmarkManyClaims is the ways to render the same claims: the function as transformer of one kustomization
// or of three, for each claim by itself, behind a build that knows nothing of it, and without kustomize.
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

// sideBySide runs the program on an input, and the function that does nothing on what comes out of it.
func sideBySide(b *testing.B, input, output file) {
	b.Run("by=sdk", func(b *testing.B) { run(b, "sdk-noop", output) })
	b.Run("by=generator", func(b *testing.B) { run(b, "dragonfly-generator", input) })
}

// run measures a program: the time of a run, and the most memory that it had at once.
func run(b *testing.B, program string, stdin file, args ...string) {
	path := find(b, program)
	var peak int64
	for b.Loop() {
		peak = max(peak, start(b, exec.Command(path, args...), stdin, noOutput))
	}
	if peak > ownPeak(b) { // else it is not known: a child begins with its parent's
		b.ReportMetric(float64(peak)/1e6, "MB-peak")
	}
}
