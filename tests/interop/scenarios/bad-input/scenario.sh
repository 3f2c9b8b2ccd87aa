# shellcheck shell=bash disable=SC2034
DESCRIPTION="rubbish, truncated, forged and replayed packets: each dropped under its name, the tunnel lives"

run() {
  local drops name count
  connect client1
  expect_ping client1
  in_ns client1 ping -q -i 0.05 -w 10 "$SERVER4" >/dev/null 2>&1 &
  in_ns nat python3 "$INTEROP/bad_input.py" nat-wan "$GW4" >"$STATE/sent" 2>"$STATE/sent-error" ||
    fail "bad_input.py: $(tail -n 1 "$STATE/sent-error")"
  while read -r name count; do
    drops=$(gateway_drops "$name")
    ((drops >= count)) || fail "$count packets are $name, the gateway counts $drops"
  done <"$STATE/sent"
  expect_ping client1
  expect_transfer client1
  connect client2
  expect_ping client2
}
