#!/usr/bin/env bash
# Makes the secrets that docker-compose.yml mounts, in deploy/secrets. It keeps those that are there.
#   postgres_password   the superuser's, which only the database's container reads
#   owner_pgpass        password file of temper_owner, which migrates
#   service_pgpass      password file of temper_service, as which the API and the workers run
#   grafana_password    of Grafana's user admin (profile monitoring)
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)/secrets
install -d -m 700 "$folder"
password() { head -c 24 /dev/urandom | base64 | tr '+/' 'ab'; }
# The containers read the files as other users. Users of this machine cannot enter the folder.
make() { [ -s "$folder/$1" ] || printf '%s' "$2" | install -m 444 /dev/stdin "$folder/$1"; }
make postgres_password "$(password)"
make grafana_password "$(password)"
make owner_pgpass "*:*:*:temper_owner:$(password)"
make service_pgpass "*:*:*:temper_service:$(password)"
ls -l "$folder"
