#!/usr/bin/env bash
# Runs every fuzz target of the repository: fuzz.sh [INPUTS|DURATION], as 20000x or 30s
set -euo pipefail

amount=${1:-20000x}
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
			go test -run '^$' -fuzz "^$target\$" -fuzztime "$amount" "./$folder" </dev/null
			;;
		esac
	done
