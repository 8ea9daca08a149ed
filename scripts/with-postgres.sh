#!/usr/bin/env bash
# Runs a command beside a private PostgreSQL server and removes the server when
# the command ends, however it ends:
#
#   with-postgres.sh [--install] COMMAND [ARGUMENT...]
#
# --install lets it install PostgreSQL where ensure-postgres.sh knows how.
# The command finds the server's URL in CAIRN_TEST_POSTGRES. Where that is set
# already, or CAIRN_TEST_SKIP_POSTGRES=1 is, no server is started.
set -euo pipefail

install=()
if [ "${1:-}" = --install ]; then
	install=(--install)
	shift
fi
if [ $# = 0 ]; then
	echo "usage: with-postgres.sh [--install] COMMAND [ARGUMENT...]" >&2
	exit 2
fi
if [ -n "${CAIRN_TEST_POSTGRES:-}" ] || [ "${CAIRN_TEST_SKIP_POSTGRES:-}" = 1 ]; then
	exec "$@"
fi

programs=$("$(dirname "$0")/ensure-postgres.sh" ${install[@]+"${install[@]}"})
folder=$(mktemp -d "${TMPDIR:-/tmp}/cairn-postgres.XXXXXX")

# server runs a program as the user the server runs as, in a folder that user
# can enter: PostgreSQL refuses to run as root.
as_user=()
if [ "$(id -u)" = 0 ]; then
	user=nobody
	if id postgres >/dev/null 2>&1; then user=postgres; fi
	chown "$user" "$folder"
	as_user=(runuser -u "$user" --)
fi
server() {
	(cd "$folder" && ${as_user[@]+"${as_user[@]}"} "$@")
}

clean_up() {
	trap '' INT TERM HUP
	if [ -f "$folder/data/postmaster.pid" ]; then
		server "$programs/pg_ctl" stop -D "$folder/data" -m immediate -s || true
	fi
	rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')

# Like an operator's server, not like SQLite: text sorts by language where this
# PostgreSQL can (15 on, with ICU), so that an ORDER BY which leans on the order
# of bytes shows in the tests.
initialise() {
	server "$programs/initdb" -D "$folder/data" -U cairn -E UTF8 --no-sync \
		--auth-local=trust --auth-host=scram-sha-256 --pwfile="$folder/password" \
		"$@" >"$folder/initdb.log" 2>&1
}
(umask 077 && echo "$password" >"$folder/password")
if [ ${#as_user[@]} -gt 0 ]; then chown "$user" "$folder/password"; fi
if ! initialise --locale-provider=icu --icu-locale=en-US && ! initialise; then
	cat "$folder/initdb.log" >&2
	exit 1
fi

# Nothing here outlives the command, so nothing waits for the disk. The odd time
# zone brings out SQL that forgets to say UTC.
cat >>"$folder/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
max_connections = 400
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
timezone = 'Pacific/Chatham'
END

# PostgreSQL can't be told to take any free port, so try some.
start() {
	port=$((20000 + RANDOM % 12000))
	server "$programs/pg_ctl" start -w -s -D "$folder/data" -l "$folder/server.log" -o "-p $port" >/dev/null 2>&1
}
attempts=0
until start; do
	attempts=$((attempts + 1))
	if [ "$attempts" = 20 ] || ! grep -q 'Address already in use' "$folder/server.log"; then
		echo "PostgreSQL did not start:" >&2
		cat "$folder/server.log" >&2
		exit 1
	fi
	rm -f "$folder/server.log"
done

export CAIRN_TEST_POSTGRES="postgres://cairn:$password@127.0.0.1:$port/postgres?sslmode=disable"
"$@"
