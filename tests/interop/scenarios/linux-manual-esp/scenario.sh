# shellcheck shell=bash disable=SC2034
DESCRIPTION="Linux: typed keys, ESP tunnels: NULL and CBC with HMAC-SHA1 and SHA2, ESN"
PEER=linux
PORTS=pcap
TCP_BYTES=100000
SAS='' GUEST_XFRM=''
INNERS=(x 4 6 4 6 4 6 4)  # of each row, from 1
manual_row 1 esp 4 4 null-sha256 'ecb(cipher_null)' 0 sha256 32 128
manual_row 2 esp 6 6 null-sha1 'ecb(cipher_null)' 0 sha1 20 96
manual_row 3 esp 6 4 aes128-sha1 'cbc(aes)' 16 sha1 20 96
manual_row 4 esp 4 6 aes256-sha256 'cbc(aes)' 32 sha256 32 128
manual_row 5 esp 4 4 aes128-sha384 'cbc(aes)' 16 sha384 48 192
manual_row 6 esp 6 6 aes256-sha512 'cbc(aes)' 32 sha512 64 256
manual_row 7 esp 4 4 aes128-sha256-esn 'cbc(aes)' 16 sha256 32 128 'replay-window 64 flag esn'

run() {
  local n
  manual_up
  for ((n = 1; n < ${#INNERS[@]}; ++n)); do expect_row "$n" "${INNERS[n]}"; done
  expect_carried esp
}
