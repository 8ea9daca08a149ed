#!/usr/bin/env bash
# Runs every fuzz target of the repository for a while: fuzz.sh [DURATION]
set -euo pipefail

duration=${1:-10s}
cd "$(dirname "$0")/.."

git grep -hoE --untracked --heading '^func Fuzz[A-Za-z0-9_]*\(' -- '*_test.go' |
	while read -r line; do
		case $line in
		*_test.go) folder=$(dirname "$line") ;;
		*)
			target=${line#func }
			target=${target%(}
			echo "== $folder $target"
			# Standard input holds the list of targets; a test has no business with it.
			go test -run '^$' -fuzz "^$target\$" -fuzztime "$duration" "./$folder" </dev/null
			;;
		esac
	done
