# shellcheck shell=bash disable=SC2034
DESCRIPTION="Linux: typed keys, ESP in transport mode: NULL and CBC with HMAC-SHA1 and SHA2, ESN"
PEER=linux
PORTS=pcap
HOST_PORT=$OWN_PORT
TCP_BYTES=100000
SAS='' GUEST_XFRM='' ROWS=()
manual_row 1 esp transport 4 4 null-sha256
manual_row 2 esp transport 6 6 null-sha1
manual_row 3 esp transport 4 4 aes128-sha1
manual_row 4 esp transport 6 6 aes256-sha256
manual_row 5 esp transport 4 4 aes256-sha384
manual_row 6 esp transport 6 6 aes128-sha512-esn

run() {
  manual_up
  gateway_own_stack
  serve gateway
  expect_rows
  expect_carried esp
  expect_not_carried clear
}
