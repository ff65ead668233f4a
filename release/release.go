// Package release has the tests of what a release is made with, and of what is in it. Its command notes takes
// the text of a release's page out of the changelog.
package release
