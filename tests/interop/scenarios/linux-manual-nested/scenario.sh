# shellcheck shell=bash disable=SC2034
DESCRIPTION="Linux: typed keys, ESP in tunnel and transport mode inside of AH, on one packet"
PEER=linux
PORTS=pcap
HOST_PORT=$OWN_PORT
TCP_BYTES=100000
SAS='' GUEST_XFRM='' ROWS=()
manual_row 1 esp tunnel 4 4 aes128-sha256 sha256
manual_row 2 esp tunnel 6 6 null-sha1 sha1
manual_row 3 esp tunnel 4 6 aes256-sha512 sha512
manual_row 4 esp tunnel 6 4 aes256-sha384 sha384
manual_row 5 esp transport 4 4 aes256-sha256 sha256
manual_row 6 esp transport 6 6 aes128-sha1 sha512

run() {
  manual_up
  gateway_own_stack
  serve gateway
  expect_rows
  expect_carried ah
  # On the wire each is a packet of AH: what is in it is not to be seen as ESP.
  expect_not_carried esp
  expect_not_carried clear
  [[ $(gateway_drops 'ah-.*|esp-.*|ipsec-.*') == 0 ]] || fail "dropped: $(gateway_view drops | xargs)"
  expect_both_layers
}

# expect_both_layers: ESP that comes without its AH is refused, though its ICV is right
expect_both_layers() {
  guest_sh ip xfrm policy update src 10.62.0.1/32 dst "$LAN4_NET" dir out \
    tmpl src "$LINUX4" dst "$GW4" proto esp reqid 1 mode tunnel || fail "the guest: policy update"
  if in_ns linux ping -q -n -c 2 -i 0.1 -W 1 -I 10.62.0.1 "$SERVER4" >/dev/null 2>&1; then
    fail "ESP without AH is let in"
  fi
  (($(gateway_drops ipsec-layer-missing) == 2)) || fail "not counted: $(gateway_view drops | xargs)"
}
