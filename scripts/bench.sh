# Sourced by the run scripts under bench/: builds, starts a private PostgreSQL and runs a benchmark against it.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export TEMPER_HOME="$PWD/.temper/bench"
mkdir -p "$TEMPER_HOME"
. scripts/setup.sh
need_base_packages
if [ -z "${TEMPER_DATA:-}" ] && [ -d ../shared/data ]; then TEMPER_DATA=$(cd ../shared/data && pwd); fi
export TEMPER_DATA=${TEMPER_DATA:-}
build bench/Bench.csproj
TEMPER_TEST_DATABASE=$(scripts/postgres.sh start $$)
export TEMPER_TEST_DATABASE
trap 'scripts/postgres.sh stop $$' EXIT

bench() { bench/bin/Release/net10.0/Temper.Bench "$@"; }
