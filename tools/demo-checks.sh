# shellcheck shell=bash
#
# What tools/demo --check holds to be true, one line each. Sourced by tools/demo.

demo_failed=0 demo_passed=0

# expect_that TEXT COMMAND...: a line; what the command leaves in $STATE/note is shown with it
expect_that() {
  local what=$1
  shift
  rm -f "$STATE/note"
  if play "$@"; then
    echo "PASS $what$(paste -sd ';' "$STATE/note" 2>/dev/null | sed 's/;/; /g; s/.*/ (&)/')"
    demo_passed=$((demo_passed + 1))
  else
    echo "FAIL $what: $(<"$STATE/reason")"
    demo_failed=$((demo_failed + 1))
  fi
}

note() { printf '%s\n' "$*" >>"$STATE/note"; }

both_connect() {
  local first second
  connect client1
  connect client2
  first=$(virtual_address client1 4) second=$(virtual_address client2 4)
  [[ -n $first && -n $second && $first != "$second" ]] ||
    fail "virtual addresses are not two: '$first', '$second'"
  gateway_count_is ike-sas 2 || fail "the gateway shows $(gateway_count ike-sas) IKE SAs"
  (($(gateway_ctl --json show ike-sas | grep -oF "$NAT4" | wc -l) >= 2)) ||
    fail "the gateway does not see both at $NAT4"
  note "$first and $second, both at $NAT4"
}

both_ping() {
  expect_ping client1
  expect_ping client2
}

both_transfer() {
  local role rates
  for role in client1 client2; do
    expect_transfer "$role"
    mapfile -t rates < <(grep -o '[0-9.]* Mbit/s' "$STATE/$role-transfer")
    ((${#rates[@]} == 2)) || fail "$role: its transfer says no rates: $(<"$STATE/$role-transfer")"
    note "$role up ${rates[0]}, down ${rates[1]}"
  done
}

rekeying_loses_nothing() {
  local before
  before=$(gateway_drops 'esp-.*')
  steady_start client1 9
  sleep 2
  swan client1 --rekey --child net >/dev/null || fail "rekeying the Child SA was refused"
  wait_for 5 child_number_is client1 2 || fail "the Child SA was not rekeyed"
  swan client1 --rekey --ike vpn >/dev/null || fail "rekeying the IKE SA was refused"
  wait_for 5 ike_number_is client1 2 || fail "the IKE SA was not rekeyed"
  steady_end client1
  [[ $(gateway_drops 'esp-.*') == "$before" ]] || fail "ESP dropped: $(gateway_view drops | xargs)"
  note "$(grep -o '[0-9]* bytes' "$STATE/client1-up") up, $(grep -o '[0-9]* bytes' "$STATE/client1-down") down"
}

plain_host_passes() {
  expect_ping plain "$PERMITTED4"
  expect_transfer plain "$PERMITTED4"
  expect_ping client1
  expect_ping client2
}

plain_host_is_refused() {
  local before
  before=$(gateway_drops 'spd-.*')
  if reaches plain "$FORBIDDEN4"; then fail "it reaches $FORBIDDEN4"; fi
  if reaches plain "$SERVER4"; then fail "it reaches $SERVER4"; fi
  (($(gateway_drops 'spd-.*') >= before + 2)) || fail "and nothing was counted"
}

killed_client_is_noticed() {
  local address
  address=$(virtual_address client2 4)
  client_kill client2
  wait_for 25 gateway_count_is ike-sas 1 || fail "its SA still stands after 25 s"
  connect client2 # the pool has two addresses, and client1 has the other
  [[ $(virtual_address client2 4) == "$address" ]] || fail "$address was not given again"
  expect_ping client2
  note "$address"
}

packets_add_up() {
  expect_accounting
  note "$(<"$STATE/accounting")"
}

stop_is_orderly() {
  local role
  gateway_stop
  [[ $(<"$STATE/gateway/status") == 0 ]] || fail "exit status $(<"$STATE/gateway/status")"
  for role in client1 client2; do
    wait_for 5 client_has_no_sa "$role" || fail "$role still has its SA"
  done
}

demo_checks() {
  step "checks"
  expect_that "sekisho starts" gateway_start
  if ((demo_failed == 0)); then
    expect_that "two users are up at the same time behind one public address" both_connect
    expect_that "each pings the server inside" both_ping
    expect_that "each transfers TCP both ways, checksums equal" both_transfer
    expect_that "rekeying Child SA and IKE SA during a TCP transfer loses nothing" \
      rekeying_loses_nothing
    expect_that "a plain host behind their NAT reaches the permitted address in clear" \
      plain_host_passes
    expect_that "and nothing else: refused, and counted" plain_host_is_refused
    expect_that "a killed client is noticed, and its address returns to the pool" \
      killed_client_is_noticed
    expect_that "every packet is accounted for" packets_add_up
    scenario_keep_logs demo
    expect_that "a stop tells the clients and ends with status 0" stop_is_orderly
  fi
  if ((demo_failed)); then
    [[ -d $ROOT/build/interop-logs/demo ]] || scenario_keep_logs demo
    echo "logs: $ROOT/build/interop-logs/demo"
  fi
  echo "$demo_passed passed, $demo_failed failed"
  ((demo_failed == 0))
}
