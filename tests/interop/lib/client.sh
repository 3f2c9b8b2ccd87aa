# shellcheck shell=bash
#
# strongSwan clients: one charon-systemd per namespace, ESP in user space (kernel-libipsec), so that
# any kernel will do. ROLE is client1, client2 or office.

# client_start ROLE [STRONGSWAN.CONF LINES]: with the scenario's swanctl.conf
client_start() {
  local ROLE=$1 DIR=$STATE/$1 file
  client_stop "$ROLE"
  rm -rf "${DIR:?}"
  mkdir -p "$DIR/swanctl/x509" "$DIR/swanctl/x509ca" "$DIR/swanctl/private"
  chmod 700 "$DIR"
  if [[ -f $STATE/pki/ready ]]; then client_keys "$ROLE" "$DIR/swanctl"; fi
  render "$INTEROP/defaults/strongswan.conf" >"$DIR/strongswan.conf"
  printf '%s\n' "${2:-}" >>"$DIR/strongswan.conf"
  file=$(scenario_file "$ROLE.swanctl.conf") || file=$(scenario_file swanctl.conf)
  render "$file" >"$DIR/swanctl/swanctl.conf"
  : >"$DIR/resolv.conf"
  process_start "$DIR" env STRONGSWAN_CONF="$DIR/strongswan.conf" \
    ip netns exec "$NS$ROLE" charon-systemd
  wait_for 15 client_answers "$ROLE" || fail "$ROLE: charon did not start: $(client_error "$ROLE")"
  swan "$ROLE" --load-all >"$DIR/load" 2>&1 ||
    fail "$ROLE: swanctl --load-all: $(grep -m1 -iE 'fail|error' "$DIR/load")"
}

client_keys() { # ROLE DIRECTORY
  local from=$STATE/pki
  cp "$from"/ca-*.pem "$2/x509ca/"
  if [[ ! -f $from/$1-rsa.pem ]]; then return; fi
  cp "$from/$1"-*.pem "$2/x509/"
  cp "$from/private/$1"-*.pem "$2/private/"
  if [[ ${ROGUE:-no} == yes ]]; then
    cp "$from/rogue/$1"-*.pem "$2/x509/"
    cp "$from/rogue/private/$1"-*.pem "$2/private/"
  fi
}

client_answers() {
  process_alive "$STATE/$1" || return 0 # no use to wait on; what comes next says why
  [[ -S $STATE/$1/vici ]] && swan "$1" --stats >/dev/null 2>&1
}

client_stop() { process_stop "$STATE/$1" TERM 10; } # says goodbye
client_kill() { process_stop "$STATE/$1" KILL 5; }  # and this does not

# swan ROLE ARGUMENTS...: swanctl against that client
swan() {
  STRONGSWAN_CONF=$STATE/$1/strongswan.conf SWANCTL_DIR=$STATE/$1/swanctl \
    timeout -k 2 "$((40 * PATIENCE))" swanctl "${@:2}" --uri "unix://$STATE/$1/vici"
}

# client_initiate ROLE: quietly; what was said is in its directory
client_initiate() {
  swan "$1" --initiate --child net --timeout "$((20 * PATIENCE))" >"$STATE/$1/initiate" 2>&1
}

# connect ROLE [STRONGSWAN.CONF LINES]: starts it and brings its tunnel up
connect() {
  client_start "$@"
  client_initiate "$1" || fail "$1: not connected: $(client_error "$1")"
  expect_tunnel "$1"
}

# disconnect ROLE: deletes its IKE SA in an orderly way
disconnect() {
  swan "$1" --terminate --ike vpn --timeout 10 >"$STATE/$1/terminate" 2>&1 ||
    fail "$1: the delete was not answered: $(client_error "$1")"
}

# refused ROLE REGEX: it must not get in, and its log says why
refused() {
  client_start "$1"
  if client_initiate "$1"; then fail "$1: was let in"; fi
  client_log_has "$1" "$2" || fail "$1: refused, but not with '$2': $(client_error "$1")"
  [[ $(client_children "$1") -eq 0 ]] || fail "$1: refused, and yet has a Child SA"
}

client_sas() { swan "$1" --list-sas 2>/dev/null; }
client_log_has() { grep -qE -- "$2" "$STATE/$1/log"; }
client_children() { client_sas "$1" | grep -c ' INSTALLED, ' || true; }
client_has_no_sa() { ! client_sas "$1" | grep -q '^vpn: '; }

# What went wrong, in its own words
client_error() {
  local line
  line=$(grep -hE 'received .* (notify|error)|failed|giving up|no .* found|not responding' \
    "$STATE/$1/log" "$STATE/$1/output" 2>/dev/null | tail -n 1)
  if [[ -z $line ]]; then line=$(tail -n 1 "$STATE/$1/log" 2>/dev/null); fi
  echo "${line#*] }"
}

expect_tunnel() { # ROLE
  local sas
  sas=$(client_sas "$1")
  grep -qE '^vpn: #[0-9]+, ESTABLISHED, IKEv2, ' <<<"$sas" || fail "$1: no IKE SA is established"
  grep -qE '^  net: #[0-9]+, .* INSTALLED, TUNNEL' <<<"$sas" || fail "$1: no Child SA is installed"
}

expect_log() { # ROLE REGEX
  client_log_has "$1" "$2" || fail "$1: its log lacks '$2'"
}

expect_in_sas() { # ROLE TEXT: such as a suite or selectors
  client_sas "$1" | grep -qF -- "$2" || fail "$1: its SAs do not show '$2'"
}

# virtual_address ROLE 4|6: what the gateway gave it
virtual_address() {
  local pattern='10\.99\.0\.[0-9]+'
  if [[ $2 == 6 ]]; then pattern='2001:db8:99::[0-9a-f:]+'; fi
  client_sas "$1" | sed -n 's/^  local .*\[\([^]]*\)\]$/\1/p' | grep -oE -- "$pattern" | head -n 1
}

expect_virtual_address() { # ROLE 4|6
  [[ -n $(virtual_address "$1" "$2") ]] || fail "$1: was given no virtual IPv$2 address"
}

# The number of its newest IKE SA and Child SA: each rekeying adds one
ike_number() { client_sas "$1" | sed -n 's/^vpn: #\([0-9]*\), ESTABLISHED.*/\1/p' | sort -n | tail -n 1; }
child_number() {
  client_sas "$1" | sed -n 's/^  net: #\([0-9]*\), .* INSTALLED, .*/\1/p' | sort -n | tail -n 1
}
ike_number_is() { [[ $(ike_number "$1") -ge $2 ]]; }
child_number_is() { [[ $(child_number "$1") -ge $2 ]]; }
