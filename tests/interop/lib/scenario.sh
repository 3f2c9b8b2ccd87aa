# shellcheck shell=bash
#
# Scenarios. scenarios/NAME holds scenario.sh and, where they differ from defaults/, sekisho.yaml
# (without the machine's part) and [ROLE.]swanctl.conf. scenario.sh says what is to hold:
#
#   DESCRIPTION   one line
#   run()         the story, in the words of lib/*.sh; ends early with `fail REASON`
#   TYPE          of certificate, where there are any: rsa or ecdsa
#   IKE, ESP, VIPS, REMOTE_TS, REMOTE, ...  what @NAMES@ in the templates stand for
#   CORES         of sekisho's workers, "0, 1"; default $SEKISHO_CORES, or what sekisho takes by itself
#   PEER          linux: the clients are in the guest (lib/guest.sh), defaults are in defaults/linux
#   PORTS         pcap: where IPv4 fragments reach the gateway, see lib/gateway.sh
#   HOST_PORT     $OWN_PORT: the gateway's machine has an IP stack behind sekisho, see gateway_own_stack
#   SKIP          when set: why this can't be tried here
#
# After every story: the gateway still runs, its packets are all accounted for, and nothing inner was
# seen outside a tunnel; but for GATEWAY_GONE=yes and LEAKS=expected. Then it ends when asked to, with
# status 0, and no sanitizer has reported anything.

scenario_names() {
  local dir
  for dir in "$INTEROP"/scenarios/*/; do
    [[ ! -f $dir/scenario.sh ]] || basename "$dir"
  done
}

# shellcheck disable=SC2034  # for templates, and for the checks below
scenario_defaults() { # NAME
  SCENARIO=$1
  IKE=aes256gcm16-prfsha256-x25519 ESP=aes256gcm16 VIPS=0.0.0.0 REMOTE_TS=$LAN4_NET REMOTE=$GW4 \
    LOCAL_TS=$LINUX_NET4,$LINUX_NET6 ENCAP=no MODE=tunnel CLIENT_PSK=$PSK ROGUE=no PEER='' \
    PORTS=af_packet HOST_PORT='' CORES=${SEKISHO_CORES:-} DESCRIPTION='' SKIP='' TYPE='' GATEWAY_GONE=no LEAKS=none
}

# every_second A B C D...: 'A, C, ...', the suites of a table that also has their other names
every_second() {
  local list=$1
  while (($# > 2)); do
    shift 2
    list+=", $1"
  done
  echo "$list"
}

scenario_load() { # NAME
  scenario_defaults "$1"
  # shellcheck disable=SC1090
  . "$INTEROP/scenarios/$1/scenario.sh"
}

scenario_list() {
  local name
  while read -r name; do
    (scenario_load "$name" && printf '%-34s %s\n' "$name" "$DESCRIPTION")
  done < <(scenario_names)
}

# Start, story, and what always holds.
scenario_play() { # NAME
  scenario_load "$1"
  if [[ -n $SKIP ]]; then fail "$SKIP"; fi
  if [[ -n $TYPE ]]; then pki_make; fi
  gateway_start
  watch_start
  run
  if [[ $GATEWAY_GONE == no ]]; then
    process_alive "$STATE/gateway" || fail "sekisho died: $(gateway_error)"
    expect_accounting
  fi
  if [[ $LEAKS == none && $(watched_since leaks) != 0 ]]; then
    fail "$(watched_since leaks) packets with inner addresses outside the tunnel"
  fi
}

scenario_cleanup() {
  local role
  for role in client1 client2 office linux linux1 linux2 linux3; do client_stop "$role"; done
  gateway_stop
  if process_alive "$STATE/guest"; then guest_clean >"$STATE/guest/clean" 2>&1 || true; fi
  net_nat_rule ''
  net_wide
}

# What shows only when the gateway has ended: leaks, and how it ends.
scenario_finish() {
  local status
  scenario_cleanup
  status=$(<"$STATE/gateway/status")
  [[ $status == 0 ]] || fail "sekisho ended with status $status, wanted 0: $(gateway_error)"
}

# play COMMAND...: in a subshell where `fail` leaves its reason in $STATE/reason. It is a process group
# of its own, so that all of it can be ended at once, and waited for in the background, so that a
# signal is heard at once. Output goes to $STATE/trace.
play() { play_to "$STATE/trace" "$@"; }
play_aloud() { play_to /dev/stdout "$@"; } # and its output is for the person
play_to() {
  local status=0 output=$1
  shift
  rm -f "$STATE/reason" "$STATE/trace"
  set -m
  (
    set +m
    trap - EXIT HUP INT TERM
    "$@"
  ) >>"$output" 2>&1 </dev/null &
  playing=$!
  set +m
  wait "$playing" || status=$?
  play_abort # what it left running in the background
  if ((status != 0)) && [[ ! -f $STATE/reason && -f $STATE/trace ]]; then tail -n 1 "$STATE/trace" >"$STATE/reason"; fi
  return "$status"
}

# play_abort: ends what is being played, with everything it started
play_abort() {
  [[ -n ${playing:-} ]] || return 0
  kill -TERM -- "-$playing" 2>/dev/null || true
  playing=''
}

scenario_keep_logs() { # NAME
  local kept=$ROOT/build/interop-logs/$1 file
  rm -rf "$kept"
  mkdir -p "$kept"
  for file in linux linux1 linux2 linux3; do
    if [[ -d $STATE/$file/swanctl ]]; then
      client_log "$file"
      guest_in "$file" ip -s xfrm state >"$kept/$file-xfrm" 2>&1 || true
      guest_in "$file" ip xfrm policy >>"$kept/$file-xfrm" 2>&1 || true
      guest_in "$file" grep -v '[[:space:]]0$' /proc/net/xfrm_stat >>"$kept/$file-xfrm" 2>&1 || true
    fi
  done
  if process_alive "$STATE/guest"; then guest_sh dmesg >"$kept/guest-dmesg" 2>&1 || true; fi
  for file in "$STATE"/{client1,client2,office,linux,linux1,linux2,linux3}/{log,initiate} \
    "$STATE"/gateway/{output,sekisho.yaml} "$STATE"/{trace,accounting} \
    "$STATE"/sanitizer/report.*; do
    if [[ -f $file ]]; then cp "$file" "$kept/$(basename "$(dirname "$file")")-${file##*/}"; fi
  done
  { # what a lost handshake may be due to
    cat /proc/loadavg
    in_ns nat cat /proc/net/nf_conntrack
    ip_ns outside neigh
    ip_ns nat neigh
  } >"$kept/network" 2>&1 || true
  if process_alive "$STATE/gateway"; then
    for file in ports ike-sas child-sas drops accounting; do
      gateway_ctl show "$file" >"$kept/show-$file" 2>&1 || true
    done
  fi
}

scenario_one() { # NAME HOLD: one line; returns 0, 1 or 77
  local start=$EPOCHREALTIME took status=0 skip
  skip=$(scenario_load "$1" && echo "$SKIP")
  if [[ -z $skip && $(scenario_load "$1" && echo "$PEER") == linux ]] && ! play_aloud guest_up; then
    skip=$(guest_lacks)
  fi
  if [[ -n $skip ]]; then
    printf 'SKIP %-34s %s\n' "$1" "$skip"
    return 77
  fi
  sanitizer_begin
  play scenario_play "$1" || status=$?
  if ((status == 0)) && [[ $2 == no ]]; then play scenario_finish || status=$?; fi
  sanitizer_silent || status=$?
  took=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }')
  if ((status == 0)); then
    printf 'PASS %-34s %7s  %s\n' "$1" "$took" "$(scenario_load "$1" && echo "$DESCRIPTION")"
    return 0
  fi
  scenario_keep_logs "$1"
  printf 'FAIL %-34s %7s  %s\n' "$1" "$took" "$(<"$STATE/reason")"
  printf '     logs: %s\n' "$ROOT/build/interop-logs/$1"
  return 1
}

scenarios_run() { # HOLD NAME...
  local hold=$1 name held status passed=0 failed=0 skipped=0
  shift
  for name in "$@"; do
    status=0 held=no
    if [[ $name == "${*: -1}" ]]; then held=$hold; fi
    scenario_one "$name" "$held" || status=$?
    case $status in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
    esac
    if [[ $held == yes ]]; then scenario_hold "$name"; fi
    scenario_cleanup
  done
  printf '%d passed, %d failed%s\n' "$passed" "$failed" "$( ((skipped)) && echo ", $skipped skipped")"
  ((failed == 0))
}

scenario_hold() { # NAME
  echo "The scenario stands. Try: client 1 status, client 1 run ping $SERVER4, gateway ctl show drops,"
  echo "net exec outside tcpdump -ni to-gateway, gateway log. exit removes everything."
  SEKISHO_RIG=$STATE PATH=$INTEROP:$PATH PS1="$1> " bash --norc -i || true
}
