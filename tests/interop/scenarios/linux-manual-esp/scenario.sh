# shellcheck shell=bash disable=SC2034
DESCRIPTION="Linux: typed keys, ESP tunnels: NULL and CBC with HMAC-SHA1 and SHA2, ESN"
PEER=linux
PORTS=pcap
TCP_BYTES=100000
SAS='' GUEST_XFRM='' ROWS=()
manual_row 1 esp tunnel 4 4 null-sha256
manual_row 2 esp tunnel 6 6 null-sha1
manual_row 3 esp tunnel 6 4 aes128-sha1
manual_row 4 esp tunnel 4 6 aes256-sha256
manual_row 5 esp tunnel 4 4 aes128-sha384
manual_row 6 esp tunnel 6 6 aes256-sha512
manual_row 7 esp tunnel 4 4 aes128-sha256-esn

run() {
  manual_up
  expect_rows
  expect_carried esp
}
