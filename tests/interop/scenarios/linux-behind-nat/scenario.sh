# shellcheck shell=bash disable=SC2034
DESCRIPTION="Linux: two users behind one NAT, virtual addresses, TCP both ways at once"
PEER=linux
PORTS=pcap
VIPS=0.0.0.0,::
REMOTE_TS=$LAN4_NET,$LAN6_NET

run() {
  local role
  connect linux1
  connect linux2
  expect_transfer linux1 &
  expect_transfer linux2
  wait "$!" || fail "linux1: $(tail -n 1 "$STATE"/linux1-transfer)"
  for role in linux1 linux2; do
    expect_sizes "$role" "$SERVER4" "$SERVER6"
    expect_sizes inside "$(virtual_address "$role" 4)"
  done
  expect_carried natt
  expect_not_carried esp
}
