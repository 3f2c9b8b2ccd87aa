# shellcheck shell=bash
# shellcheck disable=SC2034  # every name here is used by another file, or by @NAME@ in a template
#
# The address plan. All addresses are documentation or private ones, and live in the namespaces only.
#
#   192.168.77.0/24         198.51.100.0/24         203.0.113.0/24         10.10.0.0/24
#
#   client1 .11 --+
#   client2 .12 --+-- nat .77 --+
#   plain   .13 --+             +-- outside .254 -- gw-wan  .1 [gateway] .254  gw-lan -- inside .1
#                  office .33 --+                                          192.0.2.80, .81 --+
#                   linux .44 --+
#
# One NAT hides client1, client2 and plain (a host that never speaks IPsec). office is a site with a
# public address and a network of its own. linux is another one, in a guest with the Linux kernel's
# IPsec, and linux1 .14 and linux2 .15, behind the NAT, are in that guest, too. gw-wan and gw-lan belong to sekisho, not to the kernel.
# linux3 is in the guest, too, behind a NAT behind that NAT, inner .21, and has the same private address
# as linux1.
# IPv6 is routed everywhere: the NAT is IPv4's.

ROLES=(client1 client2 plain inner nat office outside gateway inside control)

MTU=1500
GW4=203.0.113.1 GW6=2001:db8:113::1
OUTSIDE4=203.0.113.254 OUTSIDE6=2001:db8:113::fe
ACCESS4=198.51.100.254 ACCESS6=2001:db8:51::fe  # outside's other leg
NAT4=198.51.100.77 NAT6=2001:db8:51::77
OFFICE4=198.51.100.33 OFFICE6=2001:db8:51::33
OFFICE_NET=10.61.0.0/24 OFFICE_HOST=10.61.0.1
LINUX4=198.51.100.44 LINUX6=2001:db8:51::44
LINUX_NET4=10.62.0.0/24 LINUX_HOST4=10.62.0.1
LINUX_NET6=2001:db8:62::/64 LINUX_HOST6=2001:db8:62::1
HOME4=192.168.77.254 HOME6=2001:db8:77::fe HOME6_NET=2001:db8:77::/64  # the NAT's inner leg
INNER4=192.168.88.254  # the inner NAT's own inner leg
LAN4_NET=10.10.0.0/24 LAN6_NET=2001:db8:10::/64
GWLAN4=10.10.0.254 GWLAN6=2001:db8:10::fe
SERVER4=10.10.0.1 SERVER6=2001:db8:10::1
PERMITTED4=192.0.2.80   # the server's address that may be reached without a tunnel
FORBIDDEN4=192.0.2.81   # its address that no policy speaks of
POOL4=10.99.0.1-10.99.0.200 POOL4_NET=10.99.0.0/24
POOL6=2001:db8:99::/112
DNS4=10.10.0.53 DNS6=2001:db8:10::53
GATEWAY_ID=vpn.example.org
# A port of the gateway's own IP stack
OWN_PORT='  own: {device: "net_tap0,iface=own0", side: host, mtu: 1400}'
PSK=interop-psk-0123456789abcdef

# home_address4 ROLE, home_address6 ROLE: a host's own address behind the NAT
home_address4() { echo "192.168.77.$(home_number "$1")"; }
home_address6() { echo "2001:db8:77::$(home_number "$1")"; }
home_number() {
  case $1 in
  client1) echo 11 ;;
  client2) echo 12 ;;
  plain) echo 13 ;;
  linux1 | linux3) echo 14 ;;
  linux2) echo 15 ;;
  inner) echo 21 ;;
  esac
}
