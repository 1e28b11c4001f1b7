#!/usr/bin/env bash
# Makes a bare Debian 12 ready and builds fathom in build/. Asks nothing.
#
#   bash jobs/setup.sh [--tests] [--sanitize] [--no-build]
#
#   --tests      the test programs and what they need, too
#   --sanitize   build in build-sanitize/, under AddressSanitizer and UndefinedBehaviorSanitizer (implies --tests)
#
# As root, or where sudo needs no password, missing packages are installed with apt-get. Otherwise what is installed is used,
# and the line to run is printed. The other scripts source this file and call fathom_setup.

fathom_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
fathom_build=$fathom_root/build

# package, and the command or pkg-config module that stands for it on a system that got it in another way
fathom_packages="
cmake               command:cmake
make                command:make,ninja
gcc                 command:gcc
libc6-dev           header:stdio.h
pkg-config          command:pkg-config
libopenmpi-dev      command:mpicc
openmpi-bin         command:mpirun
libhdf5-openmpi-dev module:hdf5-openmpi
hdf5-tools          command:h5dump
libpetsc-real-dev   module:PETSc
libopenblas-dev     module:openblas
libdnnl-dev         header:oneapi/dnnl/dnnl.h
ocl-icd-opencl-dev  module:OpenCL
opencl-c-headers    header:CL/cl.h
libfftw3-dev        module:fftw3
libyaml-dev         module:yaml-0.1
libsegyio-dev       header:segyio/segy.h
librandom123-dev    header:Random123/philox.h
zlib1g-dev          module:zlib
gnuplot-nox         command:gnuplot
"
fathom_test_packages="
libcmocka-dev       module:cmocka
clang-format        command:clang-format
python3             command:/usr/bin/python3
python3-numpy       python:numpy
python3-scipy       python:scipy
python3-h5py        python:h5py
python3-sklearn     python:sklearn
slurm-wlm           command:slurmctld
munge               command:munged
clang               command:clang,clang-14
libclang-rt-14-dev  fuzzer:clang
"

fathom_say() { printf '%s\n' "fathom: $*"; }

# there NAME PROBE - is the package installed, or what it is wanted for present?
fathom_there() {
  local status what=${2#*:} one
  if command -v dpkg-query >/dev/null; then
    # shellcheck disable=SC2016  # the dollar belongs to dpkg-query
    status=$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) || status=
    [[ $status == installed ]] && return 0
  fi
  case $2 in
    command:*)
      for one in ${what//,/ }; do
        command -v "$one" >/dev/null && return 0
      done
      return 1 ;;
    module:*) command -v pkg-config >/dev/null && pkg-config --exists "$what" ;;
    header:*) command -v gcc >/dev/null && printf '#include <%s>\n' "$what" | gcc -E - >/dev/null 2>&1 ;;
    fuzzer:*) command -v "$what" >/dev/null && [[ -e $("$what" --print-file-name=libclang_rt.fuzzer-x86_64.a) ]] ;;
    python:*) [[ -x /usr/bin/python3 ]] && /usr/bin/python3 -c "import $what" 2>/dev/null ;;
  esac
}

# missing TABLE - the names in a table that are not there, blank-separated
fathom_missing() {
  local name probe names=()
  while read -r name probe; do
    [[ -z $name ]] || fathom_there "$name" "$probe" || names+=("$name")
  done <<<"$1"
  printf '%s' "${names[*]}"
}

# install NAME... - by apt-get as root; fails where that cannot be
fathom_install() {
  local as=() log code=0
  command -v apt-get >/dev/null || return 1
  if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
    as=(sudo -n)
  fi
  as+=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
  fathom_say "installing $* (about a minute)"
  log=$(mktemp)
  "${as[@]}" update >"$log" 2>&1 </dev/null \
    || fathom_say "apt-get update failed; going on with the package lists that are here" >&2
  if ! "${as[@]}" install -y --no-install-recommends "$@" >>"$log" 2>&1 </dev/null; then
    fathom_say "apt-get failed:" >&2
    grep -E '^(E|Err|W):' "$log" >&2 || tail -n 5 "$log" >&2
    code=1
  fi
  rm -f "$log"
  return "$code"
}

# have_packages TESTS - have them; sets fathom_advice to what is left to do by hand ("" where nothing is)
fathom_have_packages() {
  local table=$fathom_packages names
  fathom_advice=
  [[ $1 == yes ]] && table+=$fathom_test_packages
  names=$(fathom_missing "$table")
  if [[ -z $names ]]; then
    fathom_say "every package is there"
    return 0
  fi
  # shellcheck disable=SC2086  # a list of words
  fathom_install $names || true
  hash -r
  names=$(fathom_missing "$table")
  [[ -z $names ]] && return 0
  fathom_advice="apt-get install -y --no-install-recommends $names"
  fathom_say "not installed: $names; going on with what is here. As root, run:" >&2
  printf '    %s\n' "$fathom_advice" >&2
}

# keep_session FOLDER - Open MPI's own folder in it, which the last run that is there removes while another may be about to begin
# in it (what a run without mpirun leaves behind does so even after that run has ended): one that is not empty stays
fathom_keep_session() { (umask 077; mkdir -p "$1/ompi.$(hostname -s).$(id -u)/kept" 2>/dev/null) || true; }

# what every run needs: Open MPI as root and with more ranks than cores, one thread a rank
fathom_environment() {
  fathom_keep_session "${TMPDIR:-/tmp}"
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1
  export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
  export PKG_CONFIG_PATH="${PKG_CONFIG_PATH:+$PKG_CONFIG_PATH:}/usr/lib/petscdir/petsc-real/lib/pkgconfig"
}

# fail SENTENCE - with the line to run again, where one is left
fathom_fail() {
  fathom_say "$*" >&2
  [[ -z ${fathom_advice:-} ]] || printf 'fathom: as root, run first:\n    %s\n' "$fathom_advice" >&2
  return 1
}

# configure and build; TESTS SANITIZE as yes|no
fathom_make() {
  local options=(-DFATHOM_SANITIZE=OFF -DFATHOM_TESTS=ON) targets=() cache=$fathom_build/CMakeCache.txt
  [[ $2 == yes ]] && options[0]=-DFATHOM_SANITIZE=ON
  if [[ $1 == no ]]; then
    targets=(--target fathom fathom-double)
    fathom_there libcmocka-dev module:cmocka || options[1]=-DFATHOM_TESTS=OFF
  fi
  if ! mkdir -p "$fathom_build" 2>/dev/null || [[ ! -w $fathom_build ]]; then
    fathom_fail "cannot write $fathom_build: remove it, or copy the checkout to a folder of $(id -un)"
    return 1
  fi
  if [[ -f $cache ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$fathom_root" "$cache"; then
    fathom_say "$fathom_build was configured for another place; configuring anew"
    rm -rf "$cache" "$fathom_build/CMakeFiles"
  fi
  if [[ ! -f $cache ]] && command -v ninja >/dev/null; then
    options+=(-G Ninja)
  fi
  fathom_say "configuring $fathom_build"
  if ! cmake -S "$fathom_root" -B "$fathom_build" "${options[@]}" >"$fathom_build/configure.log" 2>&1; then
    cat "$fathom_build/configure.log" >&2
    fathom_fail "configuring failed"
    return 1
  fi
  fathom_say "building with $(nproc) processes"
  if ! cmake --build "$fathom_build" -j "$(nproc)" "${targets[@]}"; then
    fathom_fail "the build failed"
    return 1
  fi
}

fathom_setup() {
  local tests=no sanitize=no build=yes
  while [[ $# -gt 0 ]]; do
    case $1 in
      --tests) tests=yes ;;
      --sanitize) tests=yes sanitize=yes fathom_build=$fathom_root/build-sanitize ;;
      --no-build) build=no ;;
      *) fathom_say "jobs/setup.sh knows --tests, --sanitize and --no-build, not '$1'" >&2; return 2 ;;
    esac
    shift
  done
  fathom_environment
  fathom_have_packages "$tests"
  [[ $build == no ]] || fathom_make "$tests" "$sanitize"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  set -euo pipefail
  fathom_setup "$@"
fi
