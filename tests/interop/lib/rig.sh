# shellcheck shell=bash
# shellcheck disable=SC2034  # some names are for the scripts that source this
#
# One run of the rig: its state directory, its namespaces' names, the processes it started, and how
# all of it goes away again. Sources the rest of lib/.
#
# A run belongs to a process (its owner). /run/sekisho-interop/OWNER says when that process was born
# and where the state is; the namespaces are called sekisho-OWNER-ROLE. What a killed run left
# behind is found by that: its owner is no more.

INTEROP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ROOT=$(cd "$INTEROP/../.." && pwd)
REGISTER=/run/sekisho-interop

# The programs under test; another build is tried with SEKISHO=.../sekisho SEKISHOCTL=...
SEKISHO=${SEKISHO:-$ROOT/build/slowpath/sekisho}
SEKISHOCTL=${SEKISHOCTL:-$ROOT/build/slowpath/sekishoctl}
# Waits are for a machine with two busy cores; a sanitizer build wants more.
PATIENCE=${PATIENCE:-1}

# shellcheck source-path=SCRIPTDIR source=plan.sh
. "$INTEROP/lib/plan.sh"
# shellcheck source=process.sh
. "$INTEROP/lib/process.sh"
# shellcheck source=net.sh
. "$INTEROP/lib/net.sh"
# shellcheck source=pki.sh
. "$INTEROP/lib/pki.sh"
# shellcheck source=client.sh
. "$INTEROP/lib/client.sh"
# shellcheck source=image.sh
. "$INTEROP/lib/image.sh"
# shellcheck source=guest.sh
. "$INTEROP/lib/guest.sh"
# shellcheck source=manual.sh
. "$INTEROP/lib/manual.sh"
# shellcheck source=sanitizer.sh
. "$INTEROP/lib/sanitizer.sh"
# shellcheck source=gateway.sh
. "$INTEROP/lib/gateway.sh"
# shellcheck source=traffic.sh
. "$INTEROP/lib/traffic.sh"

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# fail TEXT...: ends the scenario that is running, with its reason
fail() {
  printf '%s\n' "$*" >"$STATE/reason"
  exit 1
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
  local end=$((SECONDS + $1 * PATIENCE))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.2
  done
}

# What the rig needs of the machine, in a sentence; prints nothing when all is there.
rig_lacks() {
  local program
  if [[ $EUID -ne 0 ]]; then echo "needs root, for network namespaces" && return; fi
  for program in ip nft ethtool ping python3 swanctl charon-systemd pki; do
    if ! command -v "$program" >/dev/null; then
      echo "$program is not installed; run tools/install-dependencies"
      return
    fi
  done
  if ! unshare --net true 2>/dev/null; then
    echo "this root may not make network namespaces (a container without CAP_SYS_ADMIN?)"
  elif [[ ! -c /dev/net/tun ]]; then
    echo "there is no /dev/net/tun, which the strongSwan clients need; try modprobe tun"
  fi
}

# rig_begin OWNER: makes the state directory of a new run, and removes what dead ones left
rig_begin() {
  local owner=$1
  rig_reap
  STATE=$(mktemp -d "${TMPDIR:-/tmp}/sekisho-interop.XXXXXX")
  chmod 755 "$STATE"
  NS=sekisho-$owner-
  mkdir -p "$REGISTER"
  printf '%s\n%s\n' "$(born "$owner")" "$STATE" >"$REGISTER/$owner"
  echo "$owner" >"$STATE/owner"
}

# rig_join: takes up the run of $SEKISHO_RIG, made by `net up`
rig_join() {
  STATE=${SEKISHO_RIG:-}
  [[ -n $STATE && -f $STATE/owner ]] ||
    die "no rig here; make one with: eval \"\$(tests/interop/net up)\""
  NS=sekisho-$(<"$STATE/owner")-
}

# rig_end: ends and removes all that this run made. Safe to call at any time, and twice.
rig_end() {
  [[ -n ${STATE:-} && -f $STATE/owner ]] || return 0
  rig_remove "$(<"$STATE/owner")" "$STATE"
}

rig_remove() { # OWNER STATE
  local role pid namespace
  if [[ -d $2 ]]; then
    process_stop "$2/gateway" TERM 5 # which closes its ports
    for pid in "$2"/*/pid; do
      [[ ! -f $pid ]] || process_stop "$(dirname "$pid")" KILL 5
    done
  fi
  for role in "${ROLES[@]}"; do
    namespace=sekisho-$1-$role
    [[ -e /run/netns/$namespace ]] || continue
    # Nothing but the rig's own processes lives in the rig's own namespaces.
    for pid in $(ip netns pids "$namespace" 2>/dev/null); do
      kill -KILL "$pid" 2>/dev/null || true
    done
    ip netns del "$namespace" 2>/dev/null || true
  done
  if [[ $2 == */sekisho-interop.* ]]; then rm -rf "$2"; fi
  rm -f "$REGISTER/$1"
  rmdir "$REGISTER" 2>/dev/null || true
}

rig_reap() {
  local entry owner birth state
  for entry in "$REGISTER"/*; do
    [[ -f $entry ]] || continue
    owner=${entry##*/}
    { read -r birth && read -r state; } <"$entry" || continue
    if [[ $(born "$owner") != "$birth" ]]; then rig_remove "$owner" "$state"; fi
  done
}

# render FILE: a template with every @NAME@ replaced by the shell variable of that name
render() {
  local text name
  text=$(<"$1")
  while [[ $text =~ @([A-Z][A-Z0-9_]*)@ ]]; do
    name=${BASH_REMATCH[1]}
    [[ -v $name ]] || fail "$1 speaks of @$name@, which nobody set"
    text=${text//"@$name@"/"${!name}"}
  done
  printf '%s\n' "$text"
}
