# shellcheck shell=bash disable=SC2034,SC2153
DESCRIPTION="Linux: typed keys, AH in tunnel and transport mode, ESN, IPv4 options and IPv6 extension headers"
PEER=linux
PORTS=pcap
HOST_PORT=$OWN_PORT
TCP_BYTES=100000
SAS='' GUEST_XFRM='' ROWS=()
manual_row 1 ah tunnel 4 4 sha1
manual_row 2 ah tunnel 6 6 sha256
manual_row 3 ah tunnel 4 6 sha384
manual_row 4 ah tunnel 6 4 sha512
manual_row 5 ah tunnel 4 4 sha256-esn
manual_row 6 ah transport 4 4 sha1
manual_row 7 ah transport 6 6 sha256
manual_row 8 ah transport 4 4 sha256
manual_row 9 ah transport 6 6 sha384
manual_row 10 ah transport 4 4 sha512
manual_row 11 ah transport 6 6 sha512-esn

run() {
  manual_up
  gateway_own_stack
  serve gateway
  expect_rows
  # Record Route and Timestamp are written to on the way, and so is the hop limit; Router Alert and what
  # a hop-by-hop header holds are not (RFC 4302, 3.3.3.1 and appendix A).
  expect_options -R
  expect_options -T tsonly
  serve linux
  in_ns linux timeout 20 python3 "$INTEROP/transfer.py" datagrams "$GW6" "$PORT" --bytes 300 \
    --source 2001:db8:51::1:7 --options >"$STATE/options" 2>&1 ||
    fail "IPv6 extension headers from the guest: $(tail -n 1 "$STATE/options")"
  in_ns gateway timeout 20 python3 "$INTEROP/transfer.py" datagrams 2001:db8:51::1:9 "$PORT" --bytes 300 \
    --source "$GW6" --options >"$STATE/options" 2>&1 ||
    fail "IPv6 extension headers from the gateway: $(tail -n 1 "$STATE/options")"
  expect_carried ah
  expect_not_carried esp
  expect_not_carried clear
  [[ $(gateway_drops 'ah-.*|ipsec-.*') == 0 ]] || fail "dropped: $(gateway_view drops | xargs)"
}

# expect_options OPTIONS OF PING...: IPv4 options, there and back, from either end
expect_options() {
  in_ns linux ping -n -c 2 -i 0.2 -W 3 "$@" -I 198.51.100.106 "$GW4" >"$STATE/options" 2>&1 ||
    fail "ping $* from the guest: $(tail -n 1 "$STATE/options")"
  in_ns gateway ping -n -c 2 -i 0.2 -W 3 "$@" 198.51.100.108 >"$STATE/options" 2>&1 ||
    fail "ping $* from the gateway: $(tail -n 1 "$STATE/options")"
}
