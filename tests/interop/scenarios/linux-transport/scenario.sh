# shellcheck shell=bash disable=SC2034
DESCRIPTION="Linux: transport mode with the gateway's own machine, IPv4 and IPv6, plain and in UDP"
PEER=linux
PORTS=pcap
HOST_PORT=$OWN_PORT
MODE=transport
LOCAL_TS=dynamic REMOTE_TS=dynamic
TCP_BYTES=100000
SUITES=aes256gcm16,aes128-sha256-esn,chacha20poly1305,null-sha256

run() {
  gateway_own_stack
  serve gateway
  serve linux
  client_start linux
  for ESP in ${SUITES//,/ }; do
    REMOTE=$GW4 both_ways "$LINUX4"
    REMOTE=$GW6 both_ways "$LINUX6"
  done
  expect_carried esp
  expect_not_carried natt
  watch_start
  ENCAP=yes ESP=aes256gcm16
  REMOTE=$GW4 both_ways "$LINUX4"
  REMOTE=$GW6 both_ways "$LINUX6"
  expect_carried natt
  expect_not_carried esp
  expect_not_carried clear
}

both_ways() { # ADDRESS
  reconnect linux
  expect_sizes linux "$REMOTE"
  expect_sizes gateway "$1"
  expect_transfer linux "$REMOTE"
  expect_transfer gateway "$1"
}
