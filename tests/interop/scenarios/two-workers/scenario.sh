# shellcheck shell=bash disable=SC2034
DESCRIPTION="two workers, a port and a client's SAs each: packets cross between them"
CORES="0, 1"
if (($(nproc) < 2)); then SKIP="needs two cores"; fi

run() {
  connect client1
  connect client2
  gateway_count_is workers 2 || fail "the gateway does not show two workers"
  expect_transfer client1 &
  expect_transfer client2
  wait "$!" || fail "client1: $(tail -n 1 "$STATE"/client1-transfer)"
  expect_ping client1
  expect_ping client2
  (($(gateway_view workers handed_over) > 0)) || fail "no packet crossed from worker to worker"
  disconnect client1
  expect_ping client2
}
