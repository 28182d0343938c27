# Sourced by ./run and ./test: what both need before they can start. Debian and its relatives; elsewhere, set up the
# packages named below by hand.

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Installs the Debian packages that are missing, as root or through sudo.
need_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local as=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "These packages are missing; install them as root: apt-get install -y --no-install-recommends ${missing[*]}"
    as=(sudo)
  fi
  say "Installing ${missing[*]}"
  {
    "${as[@]}" apt-get update -qq &&
      "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  } >"$TEMPER_HOME/apt.log" 2>&1 || { tail -20 "$TEMPER_HOME/apt.log" >&2; die "apt could not install them."; }
}

# libtorch comes with the NuGet packages.
need_base_packages() { need_packages cmake g++ make postgresql curl; }

# Builds the dashboard. Without it the service works, and its page at / says what is missing.
want_node() {
  command -v npm >/dev/null && command -v node >/dev/null && return
  (need_packages nodejs npm) || say "Without Node and npm the service has no dashboard."
}

# A hash of what a build reads: tools, and files by name, size and time.
sources() {
  {
    dotnet --version
    node --version 2>&1 || true
    command -v npm cmake make c++ || true
    env | grep -i '^cuda=' || true
    find . -type d \( -name bin -o -name obj -o -name node_modules -o -name '.[!.]*' \) -prune -o -type f \
      \( -path './src/*' -o -path './tests/*' -o -path './bench/*' -o -path './Directory.*' -o -path ./Service.sln -o -path ./.editorconfig \) \
      -printf '%p %s %T@\n' | LC_ALL=C sort
  } | sha256sum
}

# A hash of what a build left here and what its programs load from NuGet's folder.
outputs() {
  {
    find src tests bench -type f -path '*/bin/*' \( -name 'Temper*.dll' -o -name '*.so' \) -printf '%p %s %T@\n'
    ls -d "${NUGET_PACKAGES:-$HOME/.nuget/packages}"/libtorch-cpu-linux-x64*/* "${NUGET_PACKAGES:-$HOME/.nuget/packages}"/torchsharp/* 2>&1 || true
  } | LC_ALL=C sort | sha256sum
}

# Restores and builds what is named; one build at a time in one checkout. Does nothing when nothing has changed since the last
# build of the same: MSBuild needs 20 s to find that out.
build() {
  command -v dotnet >/dev/null || die "The .NET 10 SDK is needed: https://dotnet.microsoft.com/download"
  mkdir -p .temper
  say "Building"
  local last=.temper/last-build before complete=yes left_out
  exec 8>.temper/build.lock
  flock 8
  before=$(sources)
  if ! grep -qxF -e "Service.sln $before $(outputs)" -e "$* $before $(outputs)" "$last" 2>/dev/null; then
    rm -f "$last"
    local project
    for project in "$@"; do
      dotnet build "$project" -c Release -nologo --tl:off >"$TEMPER_HOME/build.log" 2>&1 8>&- ||
        { grep -E 'error|warning' "$TEMPER_HOME/build.log" | sort -u >&2; die "The build failed; $TEMPER_HOME/build.log has all of it."; }
      left_out=$(grep -oE 'The (dashboard was|CPU kernels were) not built.*' "$TEMPER_HOME/build.log" | sort -u || true)
      [ -z "$left_out" ] || { say "$left_out"; complete=; }
    done
    # A build that left something out is tried again.
    [ -z "$complete" ] || echo "$* $before $(outputs)" >"$last"
  fi
  exec 8>&-
}
