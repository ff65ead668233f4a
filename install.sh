#!/bin/sh
# Installs a release of dragonfly-generator, after verifying its checksum.
#
#   curl -fsSL https://raw.githubusercontent.com/bizmatters/dragonfly-generator/v0.1.0/install.sh | sh -s -- v0.1.0
#
# Usage: install.sh [-b DIR] [VERSION]
#   VERSION   v0.1.0, or `latest` (the default)
#   -b DIR    target folder; $HOME/.local/bin by default
#
# If cosign is in PATH, the signature of the checksums is verified too. DRAGONFLY_GENERATOR_RELEASES is the URL of
# another place with the files of a release, such as a mirror.
set -eu

name=dragonfly-generator
repository=https://github.com/bizmatters/$name
releases=${DRAGONFLY_GENERATOR_RELEASES:-$repository/releases/download}

fail() {
  echo "error: $*" >&2
  exit 1
}

# Everything is in functions that only the last line calls, so an interrupted download runs nothing.
platform() {
  case $(uname -s) in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  MINGW* | MSYS* | CYGWIN* | Windows_NT) os=windows exe=.exe ;;
  *) fail "there is no program for $(uname -s); build it with: go install github.com/bizmatters/$name@latest" ;;
  esac
  case $(uname -m) in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) fail "there is no program for $(uname -m); build it with: go install github.com/bizmatters/$name@latest" ;;
  esac
}

download() { # URL FILE
  if command -v curl >/dev/null; then
    curl -fsSL --retry 3 --connect-timeout 20 -o "$2" "$1"
  elif command -v wget >/dev/null; then
    wget -q -O "$2" "$1"
  else
    fail "neither curl nor wget is installed"
  fi
}

# GitHub's page `latest` redirects to the page of a version or, if there is no release, to the list of releases.
latest() {
  command -v curl >/dev/null || fail "the latest version cannot be determined without curl; specify a VERSION"
  page=$(curl -fsSLI --connect-timeout 20 -o "$temporary/latest" -w '%{url_effective}' "$repository/releases/latest") ||
    fail "the latest version cannot be determined, because $repository/releases/latest cannot be read; specify a VERSION"
  case ${page##*/} in
  v[0-9]*) echo "${page##*/}" ;;
  *) fail "the latest version cannot be determined, because $repository has no release yet; build from a clone (see docs/install.md)" ;;
  esac
}

checksum() { # FILE
  if command -v sha256sum >/dev/null; then
    sha256sum "$1" | cut -d ' ' -f 1
  elif command -v shasum >/dev/null; then
    shasum -a 256 "$1" | cut -d ' ' -f 1
  else
    fail "neither sha256sum nor shasum is installed, so the program cannot be verified"
  fi
}

verify_signature() { # the signer's identity includes the tag
  command -v cosign >/dev/null || return 0
  download "$releases/$version/SHA256SUMS.sigstore.json" "$temporary/SHA256SUMS.sigstore.json" ||
    fail "the signature of $version cannot be downloaded"
  cosign verify-blob "$temporary/SHA256SUMS" --bundle "$temporary/SHA256SUMS.sigstore.json" \
    --certificate-identity "$repository/.github/workflows/release.yml@refs/tags/$version" \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com >&2 ||
    fail "the signature of the checksums of $version is wrong; nothing is installed"
}

main() {
  folder=$HOME/.local/bin exe='' version=latest
  while [ $# -gt 0 ]; do
    case $1 in
    -b)
      [ -n "${2:-}" ] || fail "-b needs a DIR"
      folder=$2
      shift 2
      ;;
    -*) fail "unknown option $1; the only option is -b DIR" ;;
    *)
      version=$1
      shift
      ;;
    esac
  done
  platform
  temporary=$(mktemp -d)
  trap 'rm -rf "$temporary"' EXIT
  [ "$version" != latest ] || version=$(latest)
  case $version in
  v[0-9]*) ;;
  *) fail "\"$version\" is not a version; use one like v0.1.0" ;;
  esac

  program=${name}_${version}_${os}_$arch$exe
  download "$releases/$version/SHA256SUMS" "$temporary/SHA256SUMS" || fail "the checksums of $version cannot be downloaded; does that version exist?"
  verify_signature
  want=$(awk -v file="$program" '$2 == file || $2 == "*" file { print $1 }' "$temporary/SHA256SUMS")
  [ -n "$want" ] || fail "$version has no checksum of $program"
  download "$releases/$version/$program" "$temporary/$program" || fail "$program cannot be downloaded"
  got=$(checksum "$temporary/$program")
  [ "$got" = "$want" ] || fail "the checksum of $program is $got but should be $want; nothing is installed"

  mkdir -p "$folder"
  chmod 755 "$temporary/$program"
  # Beside the old one first, so that nobody ever runs half of one and half of the other.
  cp "$temporary/$program" "$folder/.$name.$$"
  mv -f "$folder/.$name.$$" "$folder/$name$exe"
  echo "$folder/$name$exe"
  case :$PATH: in
  *:"$folder":*) ;;
  *) echo "info: $folder is not in PATH" >&2 ;;
  esac
}

main "$@"
