// Package release has the tests of what a release is made with, and of what is in it.
package release
