// Package release has the tests for the contents of a release, and for how it is made.
package release
