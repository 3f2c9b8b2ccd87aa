# shellcheck shell=bash
#
# Keys and certificates of a run, made with strongSwan's pki. For each TYPE, rsa (3072 bits) and
# ecdsa (P-256), in $STATE/pki:
#
#   ca-TYPE.pem       the authority
#   gateway-TYPE.pem  SAN vpn.example.org and its addresses, serverAuth
#   ROLE-TYPE.pem     for client1 and client2, SAN ROLE.example.org
#   private/          their keys
#   rogue/            client1-rsa from an authority of the same name that nobody trusts

# Only the plugins it needs: the packaged default complains about a missing TPM.
pki_tool() { STRONGSWAN_CONF=$STATE/pki/strongswan.conf pki "$@"; }

pki_key() { # TYPE
  case $1 in
  rsa) pki_tool --gen --type rsa --size 3072 --outform pem ;;
  ecdsa) pki_tool --gen --type ecdsa --size 256 --outform pem ;;
  esac
}

pki_ca() { # TYPE DIRECTORY
  pki_key "$1" >"$2/private/ca-$1.pem"
  pki_tool --self --ca --lifetime 365 --in "$2/private/ca-$1.pem" --type priv \
    --dn "C=CH, O=Interop, CN=Interop CA $1" --outform pem >"$2/ca-$1.pem"
}

pki_leaf() { # TYPE DIRECTORY NAME IDENTITY OPTIONS...
  pki_key "$1" >"$2/private/$3-$1.pem"
  pki_tool --issue --lifetime 100 --cacert "$2/ca-$1.pem" --cakey "$2/private/ca-$1.pem" \
    --in "$2/private/$3-$1.pem" --type priv --dn "C=CH, O=Interop, CN=$4" --san "$4" \
    "${@:5}" --outform pem >"$2/$3-$1.pem"
}

# pki_make: once a run
pki_make() {
  local dir=$STATE/pki type
  if [[ -f $dir/ready ]]; then return; fi
  rm -rf "$dir"
  (
    umask 077
    mkdir -p "$dir/private" "$dir/rogue/private"
    echo 'pki { load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey }' >"$dir/strongswan.conf"
    for type in rsa ecdsa; do
      pki_ca $type "$dir"
      pki_leaf $type "$dir" gateway "$GATEWAY_ID" --san "$GW4" --san "$GW6" \
        --flag serverAuth --flag ikeIntermediate
      pki_leaf $type "$dir" client1 client1.example.org --flag clientAuth
      pki_leaf $type "$dir" client2 client2.example.org --flag clientAuth
    done
    pki_ca rsa "$dir/rogue"
    pki_leaf rsa "$dir/rogue" client1 client1.example.org --flag clientAuth
  ) || die "pki could not make the certificates"
  touch "$dir/ready"
}
