#!/usr/bin/python3
"""Makes tests/fastpath/ah_vectors.h with scapy's IPsec layer (scapy 2.5):

    /usr/bin/python3 tests/fastpath/vectors/make_ah_vectors.py > tests/fastpath/ah_vectors.h
"""
import logging
import warnings

logging.getLogger("scapy").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")
from scapy.layers.inet import IP, UDP, IPOption, IPOption_RR, IPOption_Router_Alert  # noqa: E402
from scapy.layers.inet6 import (HBHOptUnknown, IPv6, IPv6ExtHdrDestOpt,  # noqa: E402
                                IPv6ExtHdrHopByHop, RouterAlert)
from scapy.layers.ipsec import AH, SecurityAssociation  # noqa: E402

KEYS = {"sha1": ("HMAC-SHA1-96", 20), "sha256": ("SHA2-256-128", 32),
        "sha384": ("SHA2-384-192", 48), "sha512": ("SHA2-512-256", 64)}
TEXT = b"sekisho: who goes there?"
PEER, US = "198.51.100.7", "203.0.113.1"
PEER6, US6 = "2001:db8:1::7", "2001:db8:113::1"


def packet(kind):
    options = [IPOption_Router_Alert(), IPOption_RR(pointer=4, routers=["0.0.0.0"] * 2),
               IPOption(b"\x44\x08\x05\x00\x00\x00\x00\x00")]
    extensions = IPv6ExtHdrHopByHop(options=[
        RouterAlert(), HBHOptUnknown(otype=0x3E, optdata=b"\x01\x02\x03\x04"),
        HBHOptUnknown(otype=0x1E, optdata=b"\x05\x06")])
    udp = UDP(sport=1234, dport=53) / TEXT
    return {
        "v4": IP(src=PEER, dst=US, tos=0x2E, ttl=9, flags="DF", id=7) / udp,
        "v4 options": IP(src=PEER, dst=US, tos=3, ttl=3, options=options) / udp,
        "v6": IPv6(src=PEER6, dst=US6, tc=0x5A, fl=0x12345, hlim=7) / udp,
        "v6 options": IPv6(src=PEER6, dst=US6, hlim=2) / extensions / udp,
        "inner v4": IP(src="10.99.0.5", dst="10.10.0.9", ttl=63) / udp,
        "inner v6": IPv6(src="2001:db8:99::5", dst="2001:db8:10::9", hlim=63) / udp,
    }[kind]


def text(name, data):
    digits = bytes(data).hex()
    lines = [digits[i:i + 80] for i in range(0, len(digits), 80)]
    return "\n".join('     "%s"' % line for line in lines)


def emit(suite, kind, outer, esn):
    algorithm, size = KEYS[suite]
    key = bytes((i * 7 + size) & 255 for i in range(size))
    tunnel = None
    if outer == 4:
        tunnel = IP(src=PEER, dst=US, tos=0x2E, ttl=40)
    if outer == 6:
        tunnel = IPv6(src=PEER6, dst=US6, tc=0x2E, hlim=40)
    sequence = 0x100000005 if esn else 5
    sa = SecurityAssociation(AH, spi=0x1234, seq_num=5, auth_algo=algorithm, auth_key=key,
                             tunnel_header=tunnel, esn_en=esn, esn=1 if esn else 0)
    inner = packet(kind)
    inner = inner.__class__(bytes(inner))
    made = sa.encrypt(inner, seq_num=5, esn_en=esn, esn=1 if esn else 0)
    print('    // %s, %s%s' % (suite, kind, " in v%d" % outer if outer else ""))
    print('    {"%s%s", %s, %s,' % (suite, "-esn" if esn else "",
                                    "true" if outer == 0 else "false", hex(sequence)))
    print(text("key", key) + ",\n" + text("inner", inner) + ",\n" + text("outer", made) + "},")


print("""// tests/fastpath/ah_vectors.h: AH packets of another implementation; made by
// vectors/make_ah_vectors.py, not by hand.
#pragma once

#include <cstdint>

namespace sekisho::fastpath {

struct AhVector {
  const char* suite;
  bool transport;
  uint64_t sequence;
  const char* key;
  const char* inner;
  const char* outer;
};

// clang-format off
inline constexpr AhVector kAhVectors[] = {""")
for each in KEYS:
    emit(each, "v4", 0, False)
    emit(each, "v6", 0, False)
emit("sha256", "v4 options", 0, False)
emit("sha256", "v6 options", 0, False)
emit("sha256", "inner v4", 4, False)
emit("sha256", "inner v6", 4, False)
emit("sha256", "inner v4", 6, False)
emit("sha512", "inner v6", 6, False)
emit("sha256", "v4", 0, True)
emit("sha384", "inner v4", 6, True)
print("""};
// clang-format on

}  // namespace sekisho::fastpath""")
