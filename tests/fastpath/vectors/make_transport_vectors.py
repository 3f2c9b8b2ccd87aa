#!/usr/bin/python3
"""Known answers for esp_transport_vectors.h: ESP in transport mode by scapy, which is not ours.

    ./make_transport_vectors.py > ../esp_transport_vectors.h

Keys and IVs as in make_vectors.py. With NAT-T `arrived` is what the other end sees: the source is
the NAT's, and `restored` is the packet that comes out there, with the checksum of an endpoint that
knows the addresses it stands between.
"""
from scapy.all import (IP, IPv6, TCP, UDP, IPOption_Router_Alert, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, ICMPv6EchoRequest, PadN, Raw, raw)
from scapy.layers.ipsec import ESP, SecurityAssociation

from make_vectors_keys import SPI, SUITES, key, literal

PRIVATE, NAT, HERE = "10.0.0.2", "198.51.100.7", "203.0.113.1"
PRIVATE6, NAT6, HERE6 = "fd00::2", "2001:db8:7::7", "2001:db8:113::1"
TEXT = Raw(b"sekisho: who goes there?")


def plain4(source, upper=None, **more):
    return IP(src=source, dst=HERE, ttl=64, id=7, **more) / (upper or UDP(sport=1234, dport=53)) / TEXT


def plain6(source, upper=None):
    return IPv6(src=source, dst=HERE6, hlim=64) / (upper or UDP(sport=1234, dport=53)) / TEXT


def make(suite, sequence, packet, natt):
    cipher, cipher_key, auth, auth_key = SUITES[suite]
    encryption_key = key(suite + "-encryption", cipher_key)
    integrity_key = key(suite + "-integrity", auth_key)
    sa = SecurityAssociation(
        ESP, spi=SPI, crypt_algo=cipher, crypt_key=encryption_key, auth_algo=auth,
        auth_key=integrity_key or None,
        nat_t_header=UDP(sport=40001, dport=4500, chksum=0) if natt else None)
    iv = sequence.to_bytes(8, "big") if auth is None else key(suite + "-iv", 16)
    packet = packet.__class__(raw(packet))  # lengths and checksums as on the wire
    out = sa.encrypt(packet, seq_num=sequence, iv=iv)
    if natt:
        del out[UDP].len
        if IPv6 in out:
            del out[UDP].chksum
            out.nh = 17
            del out.plen
        else:
            del out[IP].chksum
            del out[IP].len
    return encryption_key, integrity_key, raw(packet), out


def behind_nat(out, source):
    out = out.copy()
    layer = IPv6 if IPv6 in out else IP
    out[layer].src = source
    if layer is IP:
        del out[IP].chksum
    elif UDP in out:
        del out[UDP].chksum
    return raw(out)


def routing():
    # Type 2 of RFC 6275, to be read by the destination.
    return IPv6ExtHdrRouting(type=253, addresses=["2001:db8::9"], segleft=0)


TCP_PLAIN = TCP(sport=40000, dport=80, seq=1, flags="S")
CASES = [  # name, suite, sequence, packet as sent, what comes out behind a NAT, natt
    ("v4 udp", "aes256gcm16", 1, plain4(NAT), None, False),
    ("v4 tcp", "aes128-sha256", 2, plain4(NAT, TCP_PLAIN), None, False),
    ("v4 options", "aes128gcm16", 3, plain4(NAT, options=[IPOption_Router_Alert()]), None, False),
    ("v6 udp", "aes256gcm16", 4, plain6(NAT6), None, False),
    ("v6 icmp", "chacha20poly1305", 5, plain6(NAT6, ICMPv6EchoRequest(id=1, seq=2)), None, False),
    ("v6 hop-by-hop and destination options", "aes256gcm16", 6,
     plain6(NAT6, IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0\0\0\0")])
            / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0\0\0\0")]) / UDP(sport=1234, dport=53)),
     None, False),
    ("v6 destination options before routing", "aes128-sha256", 7,
     plain6(NAT6, IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0\0\0\0")]) / routing()
            / UDP(sport=1234, dport=53)), None, False),
    ("v4 udp behind nat", "aes256gcm16", 8, plain4(PRIVATE), plain4(NAT), True),
    ("v4 tcp behind nat", "aes128-sha256", 9, plain4(PRIVATE, TCP_PLAIN), plain4(NAT, TCP_PLAIN),
     True),
    ("v6 tcp behind nat", "aes128gcm16", 10, plain6(PRIVATE6, TCP_PLAIN), plain6(NAT6, TCP_PLAIN),
     True),
]

print("""// tests/fastpath/esp_transport_vectors.h: ESP in transport mode of another implementation; made by
// vectors/make_transport_vectors.py, not by hand.
#pragma once

#include <cstdint>

namespace sekisho::fastpath {

struct EspTransportVector {
  const char* name;
  const char* suite;
  bool natt;
  uint64_t sequence;
  const char* encryption_key;  // with its salt
  const char* integrity_key;
  const char* plain;     // at the sender
  const char* sent;      // protected
  const char* arrived;   // the same with the source that a NAT gave it
  const char* restored;  // what the receiver makes of it
};

// clang-format off
inline constexpr EspTransportVector kEspTransportVectors[] = {""")
for name, suite, sequence, packet, restored, natt in CASES:
    encryption_key, integrity_key, plain, out = make(suite, sequence, packet, natt)
    arrived = behind_nat(out, NAT6 if IPv6 in out else NAT) if natt else raw(out)
    print(f'    {{"{name}", "{suite}", {str(natt).lower()}, {sequence},')
    print("     " + ",\n     ".join(map(literal, (
        encryption_key, integrity_key, plain, raw(out), arrived,
        raw(restored) if restored else plain))) + "},")
print("""};
// clang-format on

}  // namespace sekisho::fastpath""")
