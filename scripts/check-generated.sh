#!/usr/bin/env bash
# Generates everything again and fails, naming the files, where that changes
# anything. Compares with the files as they are, committed or not.
set -euo pipefail

cd "$(dirname "$0")/.."

# Files named in the index and deleted in the folder are no news here.
checksums() {
	git ls-files -z --cached --others --exclude-standard | xargs -0 cksum 2>/dev/null | sort -u -k 3 || true
}

before=$(checksums)
go generate ./...
after=$(checksums)

if [ "$before" != "$after" ]; then
	echo "Generated code is not up to date; run make generate and commit:" >&2
	diff <(echo "$before") <(echo "$after") | awk '/^[<>]/ { print "  " $4 }' | sort -u >&2
	exit 1
fi
