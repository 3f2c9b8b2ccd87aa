# shellcheck shell=bash disable=SC2034
DESCRIPTION="an office calls: pre-shared key, networks on both ends, no virtual address"

run() {
  connect office
  expect_in_sas office "remote $LAN4_NET"
  in_ns office ping -q -c 5 -i 0.2 -W 2 -I "$OFFICE_HOST" "$SERVER4" | grep -q ' 0% packet loss' ||
    fail "office: ping to $SERVER4 loses packets"
  in_ns inside ping -q -c 5 -i 0.2 -W 2 "$OFFICE_HOST" | grep -q ' 0% packet loss' ||
    fail "the server's ping to the office loses packets"
  expect_transfer office
}
