#!/usr/bin/env bash
# Makes the pictures of the README in docs/images, from a real run of a study and a job on digits.
set -euo pipefail
cd "$(dirname "$0")/.."
TEMPER_SCREENSHOTS=$PWD/docs/images ./test Browser --filter Screenshots
