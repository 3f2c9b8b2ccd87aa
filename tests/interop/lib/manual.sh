# shellcheck shell=bash
#
# SAs with typed keys, in the gateway's configuration and, by `ip xfrm`, in the guest. Each row of a
# table is a pair of SAs of its own, number N from 1: their SPIs are 0x1000 + 2 N (from the gateway) and
# the next (to it). In tunnel mode the guest's end has the address 10.62.0.N, or 2001:db8:62::N, to
# itself, in transport mode 198.51.100.(100 + N), or 2001:db8:51::1:N.

# manual_row N esp|ah tunnel|transport OUTER INNER SUITE [SUITE OF AH]
# OUTER and INNER are 4 or 6, in transport mode the same; suites are named as in the configuration. With
# a second one its packets go into AH in transport mode, with SPIs 0x1000 further on. Adds to SAS,
# GUEST_XFRM and ROWS.
manual_row() {
  local n=$1 protocol=$2 mode=$3 outer=$4 inner=$5 suite=$6 ah=${7:-}
  local local4=$GW4 remote4=$LINUX4 host=10.62.0.$n/32 lan=$LAN4_NET device=site words inward outward
  local nodad= # IPv6 looks for duplicates first, and sends nothing from the address meanwhile
  if [[ $outer == 6 ]]; then local4=$GW6 remote4=$LINUX6; fi
  if [[ $inner == 6 ]]; then host=2001:db8:62::$n/128 lan=$LAN6_NET; fi
  if [[ $mode == transport ]]; then
    host=198.51.100.$((100 + n))/32 lan=$GW4/32 device=eth0
    if [[ $outer == 6 ]]; then host=2001:db8:51::1:$n/128 lan=$GW6/128; fi
    remote4=${host%/*}
  fi
  if [[ $host == *:* ]]; then nodad=' nodad'; fi
  GUEST_XFRM+="addr replace $host dev $device$nodad
"
  manual_pair "$n" $((0x1000 + 2 * n)) "$protocol" "$mode" "$suite" "$ah" ''
  outward="tmpl src $remote4 dst $local4 proto $protocol reqid $n mode $mode"
  inward="tmpl src $local4 dst $remote4 proto $protocol reqid $n mode $mode"
  if [[ -n $ah ]]; then
    manual_pair "ah$n" $((0x2000 + 2 * n)) ah transport "$ah" '' $((100 + n))
    outward+=" tmpl src $remote4 dst $local4 proto ah reqid $((100 + n)) mode transport"
    inward+=" tmpl src $local4 dst $remote4 proto ah reqid $((100 + n)) mode transport"
  fi
  GUEST_XFRM+="xfrm policy add src $host dst $lan dir out $outward
xfrm policy add src $lan dst $host dir in $inward
"
  ROWS[n]="$mode $outer $inner $protocol $suite $ah"
}

# manual_pair NAME SPI PROTOCOL MODE SUITE THEN REQID: the two SAs, at both ends. ANTI_REPLAY: the gateway
# has a replay window.
manual_pair() {
  local name=$1 protocol=$3 mode=$4 keys='' out in then='' within='' ends
  printf -v out '0x%x' "$2"
  printf -v in '0x%x' $(($2 + 1))
  manual_suite "$name" "$protocol" "$5"
  if [[ -n $6 ]]; then then=", then: outah$name" within=", within: inah$name"; fi
  ends="local: \"$local4\", remote: \"$remote4\""
  if [[ $mode == tunnel ]]; then ends+=", local_selectors: [\"$lan\"], remote_selectors: [\"$host\"]"; fi
  SAS+="  - {name: in$name, direction: in, spi: $in, protocol: $protocol, mode: $mode, suite: $5,
     $keys, $ends$within${ANTI_REPLAY:+, anti_replay: true}}
  - {name: out$name, direction: out, spi: $out, protocol: $protocol, mode: $mode, suite: $5,
     $keys, $ends$then}
"
  words="proto $protocol reqid ${7:-$name} mode $mode $words"
  GUEST_XFRM+="xfrm state add src $local4 dst $remote4 spi $out $words
xfrm state add src $remote4 dst $local4 spi $in $words
"
}

# manual_suite NAME PROTOCOL SUITE: sets `keys` for the gateway and `words` for the guest. Over IPv4 Linux
# pads AH to 8 bytes, and takes nothing else, unless told of the 4 that RFC 4302, 2.2 asks for.
manual_suite() {
  local hmac bits bytes cipher flags='af-unspec'
  case $3 in
  *sha1*) hmac=sha1 bytes=20 bits=96 ;;
  *sha256*) hmac=sha256 bytes=32 bits=128 ;;
  *sha384*) hmac=sha384 bytes=48 bits=192 ;;
  *sha512*) hmac=sha512 bytes=64 bits=256 ;;
  esac
  keys="integrity_key: $(manual_key "$1" "$bytes")"
  words="auth-trunc hmac($hmac) $(manual_key "$1" "$bytes") $bits"
  case $3 in
  aes*)
    cipher=${3#aes} cipher=$((${cipher%%-*} / 8))
    keys+=", encryption_key: $(manual_key "$1" "$cipher")"
    words="enc cbc(aes) $(manual_key "$1" "$cipher") $words"
    ;;
  null*) words="enc ecb(cipher_null) - $words" ;;
  esac
  if [[ $3 == *-esn ]]; then
    words+=' replay-window 64'
    flags+=' esn'
  fi
  if [[ $2 == ah && $outer == 4 ]]; then flags+=' align4'; fi
  words+=" flag $flags"
}

# manual_key N BYTES: always the same
manual_key() {
  local digits
  digits=$(sha512sum <<<"key of SA $1" | cut -c1-$((2 * $2)))
  echo "0x$digits"
}

# manual_up: installs GUEST_XFRM. A lone '-' stands for an empty key.
manual_up() {
  # shellcheck disable=SC2016
  printf '%s' "$GUEST_XFRM" | guest_sh bash -ec 'while read -ra words; do
    for i in "${!words[@]}"; do if [[ ${words[i]} == - ]]; then words[i]=; fi; done
    ip "${words[@]}" || { echo "refused: ip ${words[*]}" >&2; exit 1; }
  done' >"$STATE/guest/xfrm" 2>&1 || fail "the guest: $(tail -n 1 "$STATE/guest/xfrm")"
}

# expect_rows: pings and TCP through each, both ways
expect_rows() {
  local n
  for n in "${!ROWS[@]}"; do
    # shellcheck disable=SC2086
    expect_row "$n" ${ROWS[n]}
  done
}

expect_row() { # N MODE OUTER INNER ...
  local host=10.62.0.$1 server=$SERVER4 ours=inside row="row $1 (${*:2})"
  if [[ $4 == 6 ]]; then host=2001:db8:62::$1 server=$SERVER6; fi
  if [[ $2 == transport ]]; then
    host=198.51.100.$((100 + $1)) server=$GW4 ours=gateway
    if [[ $4 == 6 ]]; then host=2001:db8:51::1:$1 server=$GW6; fi
  fi
  # One at a time, as in expect_sizes.
  # shellcheck disable=SC2016
  in_ns linux bash -c 'for size in 56 600 1200; do
    ping -q -n -c 1 -W 5 -I "$1" -s "$size" "$2" >/dev/null 2>&1 || exit 1
  done' pings "$host" "$server" || fail "$row: the guest's pings are lost"
  (expect_sizes "$ours" "$host") || fail "$row: $(<"$STATE/reason")"
  (expect_transfer linux "$server" --source "$host") || fail "$row: $(<"$STATE/reason")"
}
