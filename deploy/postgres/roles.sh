#!/bin/sh
# Makes the two roles and the database in a new cluster, as its superuser. The image of PostgreSQL runs it once. Elsewhere:
#   PGHOST=… PGUSER=postgres SECRETS=deploy/secrets deploy/postgres/roles.sh
# temper_owner owns the schema and migrates it. temper_service has the grants of `Temper.Api migrate --grant temper_service`.
set -eu
secrets=${SECRETS:-/run/secrets}
# The last field of a password file, without its escapes.
password() { cut -d: -f5- "$secrets/$1" | sed 's/\\\(.\)/\1/g'; }
OWNER_PASSWORD=$(password owner_pgpass) SERVICE_PASSWORD=$(password service_pgpass)
export OWNER_PASSWORD SERVICE_PASSWORD
psql -v ON_ERROR_STOP=1 -d postgres <<'SQL'
\getenv owner_password OWNER_PASSWORD
\getenv service_password SERVICE_PASSWORD
CREATE ROLE temper_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE temper_service LOGIN PASSWORD :'service_password';
CREATE DATABASE temper OWNER temper_owner;
REVOKE ALL ON DATABASE temper FROM PUBLIC;
\connect temper
-- Before PostgreSQL 15 everyone may create tables there.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL
