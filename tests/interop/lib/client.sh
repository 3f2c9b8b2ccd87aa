# shellcheck shell=bash
#
# strongSwan clients: one charon-systemd per namespace. ROLE is client1, client2 or office, where ESP is
# done in user space (kernel-libipsec), so that any kernel will do; or linux, linux1 or linux2 in the
# guest, where its kernel does it.

# client_start ROLE [STRONGSWAN.CONF LINES]: with the scenario's swanctl.conf
# shellcheck disable=SC2034  # DIR and KERNEL are for the templates
client_start() {
  local ROLE=$1 DIR KERNEL='kernel-libipsec kernel-netlink' to=$STATE/$1
  client_stop "$ROLE"
  rm -rf "${to:?}"
  mkdir -p "$to/swanctl/x509" "$to/swanctl/x509ca" "$to/swanctl/private"
  chmod 700 "$to"
  DIR=$(client_directory "$ROLE")
  if is_guest "$ROLE"; then KERNEL=kernel-netlink; fi
  if [[ -f $STATE/pki/ready ]]; then client_keys "$ROLE" "$to/swanctl"; fi
  render "$INTEROP/defaults/strongswan.conf" >"$to/strongswan.conf"
  printf '%s\n' "${2:-}" >>"$to/strongswan.conf"
  client_configure "$ROLE"
  : >"$to/resolv.conf"
  if is_guest "$ROLE"; then
    guest_charon_start "$ROLE"
  else
    process_start "$to" env STRONGSWAN_CONF="$to/strongswan.conf" \
      ip netns exec "$NS$ROLE" charon-systemd
  fi
  wait_for 15 client_answers "$ROLE" || fail "$ROLE: charon did not start: $(client_error "$ROLE")"
  swan "$ROLE" --load-all >"$to/load" 2>&1 ||
    fail "$ROLE: swanctl --load-all: $(grep -m1 -iE 'fail|error' "$to/load")"
}

# client_directory ROLE: what its charon calls its directory
client_directory() { if is_guest "$1"; then echo "/run/rig/$1"; else echo "$STATE/$1"; fi; }

# client_configure ROLE: writes the scenario's swanctl.conf, for the variables as they are now
client_configure() {
  local ROLE=$1 file
  file=$(scenario_file "$ROLE.swanctl.conf") || file=$(scenario_file swanctl.conf)
  render "$file" >"$STATE/$ROLE/swanctl/swanctl.conf"
  if is_guest "$ROLE"; then guest_put "$ROLE"; fi
}

# client_reload ROLE: that, for a client that is running
client_reload() {
  client_configure "$1"
  swan "$1" --load-all >"$STATE/$1/load" 2>&1 ||
    fail "$1: swanctl --load-all: $(grep -m1 -iE 'fail|error' "$STATE/$1/load")"
}

# reconnect ROLE: that, and a new IKE SA instead of the one it may have
reconnect() {
  client_reload "$1"
  if client_sas "$1" | grep -q '^vpn: '; then disconnect "$1"; fi
  client_initiate "$1" || fail "$1: not connected ($ESP, $REMOTE): $(client_error "$1")"
  expect_tunnel "$1"
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
  if is_guest "$1"; then
    swan "$1" --stats >/dev/null 2>&1
    return
  fi
  process_alive "$STATE/$1" || return 0 # no use to wait on; what comes next says why
  [[ -S $STATE/$1/vici ]] && swan "$1" --stats >/dev/null 2>&1
}

client_stop() { client_end "$1" TERM 10; } # says goodbye
client_kill() { client_end "$1" KILL 5; }  # and this does not
client_end() { # ROLE SIGNAL SECONDS
  if is_guest "$1"; then guest_charon_stop "$1" "$2"; else process_stop "$STATE/$1" "$2" "$3"; fi
}

# swan ROLE ARGUMENTS...: swanctl against that client
swan() {
  local dir
  if is_guest "$1"; then
    dir=$(client_directory "$1")
    guest_sh env STRONGSWAN_CONF="$dir/strongswan.conf" SWANCTL_DIR="$dir/swanctl" \
      timeout -k 2 "$((40 * PATIENCE))" swanctl "${@:2}" --uri "unix://$dir/vici"
    return
  fi
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
client_log_has() { client_log "$1" && grep -qE -- "$2" "$STATE/$1/log"; }
client_log() { ! is_guest "$1" || guest_get "$1" log; } # brings it here
client_children() { client_sas "$1" | grep -c ' INSTALLED, ' || true; }
client_has_no_sa() { ! client_sas "$1" | grep -q '^vpn: '; }

# What went wrong, in its own words
client_error() {
  local line
  client_log "$1"
  line=$(grep -hE 'received .* (notify|error)|failed|giving up|no .* found|not responding' \
    "$STATE/$1/log" "$STATE/$1/output" 2>/dev/null | tail -n 1)
  if [[ -z $line ]]; then line=$(tail -n 1 "$STATE/$1/log" 2>/dev/null); fi
  echo "${line#*] }"
}

expect_tunnel() { # ROLE
  local sas
  sas=$(client_sas "$1")
  grep -qE '^vpn: #[0-9]+, ESTABLISHED, IKEv2, ' <<<"$sas" || fail "$1: no IKE SA is established"
  grep -qE "^  net: #[0-9]+, .* INSTALLED, ${MODE^^}" <<<"$sas" || fail "$1: no Child SA is installed"
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
