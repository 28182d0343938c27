#!/usr/bin/env bash
# Writes bills of materials in CycloneDX's JSON, and lists packages with known vulnerabilities.
#   scripts/sbom.sh [FOLDER]     default: .temper/sbom
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath -m "${1:-.temper/sbom}")
mkdir -p "$folder"
dotnet tool restore >/dev/null
for project in Api Worker Cli; do
  dotnet dotnet-CycloneDX "src/$project/$project.csproj" --output "$folder" --filename "${project,,}.cdx.json" --output-format Json \
    --set-name "temper-${project,,}" --set-type Application
done
# npm 10 and later.
npm --prefix src/Dashboard sbom --package-lock-only --sbom-format cyclonedx --sbom-type application >"$folder/dashboard.cdx.json"
ls -l "$folder"
dotnet list Service.sln package --vulnerable --include-transitive
