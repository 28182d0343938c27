#!/usr/bin/env bash
# A private PostgreSQL on loopback for one TEMPER_HOME.
#   scripts/postgres.sh start PID     start it if it is not running, for the process PID; print the connection string
#   scripts/postgres.sh stop PID      PID needs it no more: stop it, unless another process that lives still does
#   scripts/postgres.sh restart MODE  stop it (fast: its clients are cut off; immediate: as in a crash) and start it again
#   scripts/postgres.sh delete        delete its data, unless it is in use
set -euo pipefail
TEMPER_HOME=$(realpath -m "${TEMPER_HOME:-$(dirname "$0")/../.temper}")

if [ "$(id -u)" = 0 ]; then
  # PostgreSQL refuses to run as root, and its user cannot enter a folder that only root may: its data lie apart.
  as=(runuser -u postgres --)
  root=/var/lib/temper/$(printf %s "$TEMPER_HOME" | sha256sum | cut -c1-16)
else
  as=()
  root=$TEMPER_HOME/postgres
fi
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
users=$TEMPER_HOME/users # a file for each process that uses it, named by its id

# From /, because the postgres user may not be able to read the working directory.
run() { (cd / && "${as[@]}" "$@"); }
running() { run "$bin/pg_ctl" -D "$root/data" status >/dev/null 2>&1; }
free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
psql_as_owner() { PGPASSWORD=$(cat "$root/password") run "$bin/psql" -h 127.0.0.1 -p "$(cat "$root/port")" -U temper -d postgres -Atqc "$1"; }

# One start or stop at a time. 9>&- below: the server must not inherit the lock.
lock() {
  mkdir -p "$users"
  exec 9>"$TEMPER_HOME/postgres.lock"
  flock 9
}

in_use() {
  local user
  for user in "$users"/*; do
    [ -e "$user" ] || continue
    if kill -0 "$(basename "$user")" 2>/dev/null; then return 0; fi
    rm -f "$user"
  done
  return 1
}

# The password lies beside the data, where only its owner reads it, and is never given on a command line.
initialize() {
  mkdir -p "$root"
  head -c 24 /dev/urandom | base64 | tr '+/' 'ab' | install -m 600 /dev/stdin "$root/password"
  chmod 700 "$root"
  [ "$(id -u)" != 0 ] || chown -R postgres "$root"
  # Made aside and moved: a cluster that is there is whole.
  rm -rf "$root/new"
  run "$bin/initdb" -D "$root/new" -U temper -A scram-sha-256 --pwfile="$root/password" -E UTF8 --no-locale >/dev/null
  mv "$root/new" "$root/data"
}

start() {
  lock
  touch "$users/$1"
  [ -s "$root/data/PG_VERSION" ] || initialize
  if ! running; then
    local port
    port=$(cat "$root/port" 2>/dev/null || echo 0)
    # Below the ports that outgoing connections are given: a restart finds its own free.
    while [ "$port" = 0 ] || ! free "$port"; do port=$((20000 + RANDOM % 12000)); done
    echo "$port" >"$root/port"
    # No socket file: its path could be longer than the 107 bytes that one may have.
    # One service needs less than PostgreSQL's own limit of 100 connections; the tests run several at once.
    run "$bin/pg_ctl" -D "$root/data" -l "$root/log" -w -s \
      -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300" start 9>&- >&2
  fi
  psql_as_owner "SELECT 1 FROM pg_database WHERE datname = 'temper'" | grep -q 1 || psql_as_owner 'CREATE DATABASE temper'
  echo "Host=127.0.0.1;Port=$(cat "$root/port");Username=temper;Password=$(cat "$root/password");Database=temper"
}

stop() {
  lock
  rm -f "$users/$1"
  in_use || ! running || run "$bin/pg_ctl" -D "$root/data" -m fast -w -s stop 9>&-
}

restart() {
  lock
  run "$bin/pg_ctl" -D "$root/data" -l "$root/log" -m "$1" -w -s restart 9>&- >&2
}

delete() {
  lock
  [ -d "$root" ] || { echo "$TEMPER_HOME has no database." >&2; exit 1; }
  if in_use || running; then
    echo "It is in use." >&2
    exit 1
  fi
  rm -rf "$root"
  echo "Deleted $root" >&2
}

case "${1:-} $#" in
  "start 2" | "stop 2") "$1" "$2" ;;
  "restart 2") restart "$2" ;;
  "delete 1") delete ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
