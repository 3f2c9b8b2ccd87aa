# shellcheck shell=bash
#
# SAs with typed keys, in the gateway's configuration and, by `ip xfrm`, in the guest. Each row of a
# table is a tunnel of its own, number N: its SPIs are 0x1000 + 2 N (from the gateway) and the next (to
# it), and the guest's end has the address 10.62.0.N, or 2001:db8:62::N, to itself.

# manual_row N esp|ah OUTER INNER SUITE CIPHER KEY-BYTES HMAC KEY-BYTES ICV-BITS [XFRM WORDS]
# OUTER and INNER are 4 or 6; CIPHER is the kernel's name, '-' for AH. Adds to SAS and GUEST_XFRM.
manual_row() {
  local n=$1 protocol=$2 outer=$3 suite=$5 cipher=$6 cipher_bytes=$7 hmac=$8 hmac_bytes=$9 bits=${10}
  local local4=$GW4 remote4=$LINUX4 host=10.62.0.$n/32 lan=$LAN4_NET in out keys words tunnel
  if [[ $outer == 6 ]]; then local4=$GW6 remote4=$LINUX6; fi
  if [[ $4 == 6 ]]; then host=2001:db8:62::$n/128 lan=$LAN6_NET; fi
  printf -v out '0x%x' $((0x1000 + 2 * n))
  printf -v in '0x%x' $((0x1001 + 2 * n))
  keys="integrity_key: $(manual_key "$n" "$hmac_bytes")"
  words="auth-trunc hmac($hmac) $(manual_key "$n" "$hmac_bytes") $bits"
  if ((cipher_bytes)); then
    keys+=", encryption_key: $(manual_key "$n" "$cipher_bytes")"
    words="enc $cipher $(manual_key "$n" "$cipher_bytes") $words"
  elif [[ $cipher != - ]]; then
    words="enc $cipher - $words"
  fi
  words+=" ${11:-}"
  SAS+="  - {name: in$n, direction: in, spi: $in, protocol: $protocol, suite: $suite, $keys,
     local: \"$local4\", remote: \"$remote4\", local_selectors: [\"$lan\"], remote_selectors: [\"$host\"]}
  - {name: out$n, direction: out, spi: $out, protocol: $protocol, suite: $suite, $keys,
     local: \"$local4\", remote: \"$remote4\", local_selectors: [\"$lan\"], remote_selectors: [\"$host\"]}
"
  tunnel="proto $protocol reqid $n mode tunnel"
  GUEST_XFRM+="addr replace $host dev site
xfrm state add src $local4 dst $remote4 spi $out $tunnel $words flag af-unspec
xfrm state add src $remote4 dst $local4 spi $in $tunnel $words flag af-unspec
xfrm policy add src $host dst $lan dir out tmpl src $remote4 dst $local4 $tunnel
xfrm policy add src $lan dst $host dir in tmpl src $local4 dst $remote4 $tunnel
"
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
    case "${words[*]}" in *flag*flag*) words=("${words[@]:0:${#words[@]}-2}" af-unspec) ;; esac
    ip "${words[@]}" || { echo "refused: ip ${words[*]}" >&2; exit 1; }
  done' >"$STATE/guest/xfrm" 2>&1 || fail "the guest: $(tail -n 1 "$STATE/guest/xfrm")"
}

# expect_row N INNER: pings and TCP, both ways
expect_row() {
  local host=10.62.0.$1 server=$SERVER4
  if [[ $2 == 6 ]]; then host=2001:db8:62::$1 server=$SERVER6; fi
  in_ns linux ping -q -n -c 3 -i 0.05 -W 3 -I "$host" -s 1200 "$server" 2>&1 |
    grep -q ' 0% packet loss' || fail "row $1: the guest's pings are lost"
  expect_sizes inside "$host"
  expect_transfer linux "$server" --source "$host"
}
