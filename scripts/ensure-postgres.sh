#!/usr/bin/env bash
# Prints the folder with PostgreSQL's server programs (initdb, pg_ctl, postgres).
#
#   ensure-postgres.sh            find them, or fail and say how to get them
#   ensure-postgres.sh --install  the same, but as root on Debian and Ubuntu
#                                 install them first where they are missing
#
# Any release from 13 on will do.
set -euo pipefail

# complete says whether folder $1 holds all three programs.
complete() {
	[ -x "$1/initdb" ] && [ -x "$1/pg_ctl" ] && [ -x "$1/postgres" ]
}

find_programs() {
	local folder
	if folder=$(command -v pg_ctl); then
		folder=$(dirname "$folder")
		if complete "$folder"; then
			echo "$folder"
			return
		fi
	fi
	# Debian and Ubuntu; the PostgreSQL project's RPMs; Homebrew on Apple and
	# Intel; Postgres.app. sort -V puts the newest release last.
	folder=$(
		for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
			/opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
			/Applications/Postgres.app/Contents/Versions/*/bin; do
			if complete "$folder"; then echo "$folder"; fi
		done | sort -V | tail -n 1
	)
	[ -n "$folder" ] && echo "$folder"
}

if find_programs; then
	exit 0
fi

if [ "${1:-}" = --install ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "PostgreSQL's server programs are missing; installing them with apt-get." >&2
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq </dev/null >&2
	apt-get install -y -qq --no-install-recommends postgresql </dev/null >&2
	if find_programs; then
		exit 0
	fi
fi

cat >&2 <<'END'
PostgreSQL's server programs (initdb, pg_ctl, postgres) were not found on PATH
nor where Debian, Fedora, Homebrew and Postgres.app put them. Get them with
  Debian, Ubuntu:  sudo apt-get install postgresql
  Fedora:          sudo dnf install postgresql-server
  macOS:           brew install postgresql
or name a running server in which the tests may create databases:
  export CAIRN_TEST_POSTGRES=postgres://user:password@host:5432/postgres
END
exit 1
