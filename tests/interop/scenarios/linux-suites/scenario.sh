# shellcheck shell=bash disable=SC2034
DESCRIPTION="Linux: each ESP suite in a tunnel over IPv4 and IPv6, with and without ESN"
PEER=linux
PORTS=pcap
REMOTE_TS=$LAN4_NET,$LAN6_NET
TCP_BYTES=100000
SUITES=(
  aes128gcm16 AES_GCM_16-128 aes256gcm16 AES_GCM_16-256
  aes128-sha256 AES_CBC-128/HMAC_SHA2_256_128 aes128-sha384 AES_CBC-128/HMAC_SHA2_384_192
  aes256-sha512 AES_CBC-256/HMAC_SHA2_512_256 chacha20poly1305 CHACHA20_POLY1305
  aes256gcm16-esn AES_GCM_16-256/ESN aes256-sha256-esn AES_CBC-256/HMAC_SHA2_256_128/ESN
  chacha20poly1305-esn CHACHA20_POLY1305/ESN
)
ESP=$(every_second "${SUITES[@]}")  # the gateway takes them all

run() {
  local i
  client_start linux
  for ((i = 0; i < ${#SUITES[@]}; i += 2)); do
    ESP=${SUITES[i]}
    for REMOTE in $GW4 $GW6; do suite "${SUITES[i + 1]}"; done
  done
}

suite() { # NAME IN LIST-SAS
  reconnect linux
  expect_in_sas linux "ESP:$1"
  expect_sizes linux "$SERVER4" "$SERVER6"
  expect_transfer linux
  expect_carried esp
}
