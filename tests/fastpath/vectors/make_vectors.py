#!/usr/bin/python3
"""Known answers for esp_vectors.h, from scapy's IPsec (an implementation that is not ours).

    ./make_vectors.py > ../esp_vectors.h
    ./make_vectors.py suites > ../esp_suite_vectors.h

The first has all mixtures of addresses, the second all other suites. IVs and keys are fixed, so that
the output is always the same. IVs are those that sekisho makes (the sequence number), so that these
packets can be compared byte by byte; only those of CBC are arbitrary, as they are unpredictable by
design. scapy has no GMAC: those packets are its NULL ones, with the ICV and IV of RFC 4543 from
the Python package `cryptography`, as are the shorter ICVs of GCM.
"""
import hmac
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from scapy.all import IP, IPv6, UDP, Raw, raw
from scapy.layers.ipsec import ESP, SecurityAssociation

from make_vectors_keys import SPI, SUITES, key, literal

HASHES = {"HMAC-SHA1-96": ("sha1", 12), "SHA2-256-128": ("sha256", 16),
          "SHA2-384-192": ("sha384", 24), "SHA2-512-256": ("sha512", 32)}
OUTER = {
    "v4": IP(src="198.51.100.7", dst="203.0.113.1", ttl=64),
    "v6": IPv6(src="2001:db8:7::7", dst="2001:db8:113::1", hlim=64),
}
INNER = {
    "v4": IP(src="10.99.0.5", dst="10.10.0.9", ttl=63, id=1, flags="DF")
    / UDP(sport=1234, dport=53) / Raw(b"sekisho: who goes there?"),
    "v6": IPv6(src="2001:db8:99::5", dst="2001:db8:10::9", hlim=63)
    / UDP(sport=1234, dport=53) / Raw(b"sekisho: who goes there, then?"),
}


def adjust(packet, by):
    """The outer header's length follows the ESP packet's."""
    if IP in packet:
        packet[IP].len += by
        del packet[IP].chksum
    else:
        packet[IPv6].plen += by


def make(name, outer, inner, natt, esn, sequence):
    cipher, cipher_key, auth, auth_key = SUITES[name]
    encryption_key = key(name + "-encryption", cipher_key)
    integrity_key = key(name + "-integrity", auth_key)
    high = (sequence >> 32).to_bytes(4, "big")
    counter_iv = sequence.to_bytes(8, "big")
    iv = {"AES-CBC": key(name + "-iv", 16), "3DES": key(name + "-iv", 8),
          "NULL": b""}.get(cipher, counter_iv)
    gmac = cipher == "GMAC"
    icv_bytes = int(name.split("cm")[1].split("-")[0]) if "cm" in name else 16
    sa = SecurityAssociation(
        ESP, spi=SPI, crypt_algo="NULL" if gmac else cipher,
        crypt_key=encryption_key if encryption_key and not gmac else None,
        crypt_icv_size=icv_bytes if cipher == "AES-CCM" else None, auth_algo=auth,
        auth_key=integrity_key or None, tunnel_header=OUTER[outer],
        nat_t_header=UDP(sport=40001, dport=4500, chksum=0) if natt else None,
        esn_en=esn, esn=sequence >> 32)
    packet = sa.encrypt(INNER[inner], seq_num=sequence & 0xFFFFFFFF, iv=None if gmac else iv,
                        esn_en=esn, esn=sequence >> 32)
    if gmac:
        # RFC 4543, 3.3: over SPI, number with its high half, IV, payload.
        body = iv + packet[ESP].data
        header = SPI.to_bytes(4, "big") + (high if esn else b"") + counter_iv[4:]
        tag = AESGCM(encryption_key[:-4]).encrypt(encryption_key[-4:] + iv, b"", header + body)
        packet[ESP].data = body + tag
        adjust(packet, 24)
    elif cipher == "AES-GCM" and icv_bytes < 16:
        packet[ESP].data = packet[ESP].data[:icv_bytes - 16]
        adjust(packet, icv_bytes - 16)
    # The identification that sekisho writes; a fresh checksum.
    if outer == "v4":
        packet[IP].id = sequence & 0xFFFF
        packet[IP].flags = "DF"
        del packet[IP].chksum
    if natt:
        del packet[UDP].len  # scapy writes that of the bare header
        if outer == "v6":
            del packet[UDP].chksum  # scapy then computes it: over IPv6 there must be one
    data = raw(packet)
    if esn and auth is not None:
        # scapy leaves the high half out of HMACs; RFC 4303, 2.2.1 puts it behind the packet.
        hash_name, icv_bytes = HASHES[auth]
        signed = data[20:-icv_bytes] + high
        data = data[:-icv_bytes] + hmac.digest(integrity_key, signed, hash_name)[:icv_bytes]
    return encryption_key, integrity_key, raw(INNER[inner]), data


CASES = [(name, "v4", "v4", False, False, 1)
         for name in ("aes128gcm16", "aes256gcm16", "chacha20poly1305", "aes128-sha256",
                      "aes256-sha384", "aes256-sha512")]
CASES += [
    ("aes256gcm16", "v4", "v6", False, False, 2),
    ("aes256gcm16", "v6", "v4", False, False, 3),
    ("aes256gcm16", "v6", "v6", False, False, 4),
    ("aes128-sha256", "v4", "v6", False, False, 5),
    ("aes128-sha256", "v6", "v4", False, False, 6),
    ("aes128gcm16", "v4", "v4", True, False, 7),
    ("aes128gcm16", "v4", "v6", True, False, 8),
    ("chacha20poly1305", "v6", "v4", True, False, 9),
    ("aes256-sha512", "v4", "v4", True, False, 10),
    ("aes256gcm16", "v4", "v4", False, True, 0x100000005),
    ("aes128-sha256", "v4", "v4", False, True, 0x100000006),
]

SUITE_CASES = [(name, "v4", "v4", False, False, 0x21 + i)
               for i, name in enumerate(SUITES) if name not in {case[0] for case in CASES}]
SUITE_CASES += [(name, "v4", "v4", False, True, 0x300000041 + i)
                for i, name in enumerate(("aes128gcm8", "aes256ccm16", "aes128gmac", "null-sha1",
                                          "aes128ctr-sha1", "3des-sha256"))]
SUITE_CASES += [("aes256gmac", "v6", "v4", False, True, 0x300000061),
                ("aes128gmac", "v4", "v6", True, True, 0x300000062),
                ("null-sha256", "v6", "v6", False, False, 0x63)]

MAIN_HEAD = """// tests/fastpath/esp_vectors.h: ESP packets of another implementation; made by
// vectors/make_vectors.py, not by hand.
#pragma once

#include <cstdint>

namespace sekisho::fastpath {

struct EspVector {
  const char* suite;
  bool natt, esn;
  uint64_t sequence;
  const char* encryption_key;  // with its salt
  const char* integrity_key;
  const char* inner;
  const char* outer;
};

// clang-format off
inline constexpr EspVector kEspVectors[] = {"""
SUITES_HEAD = """// tests/fastpath/esp_suite_vectors.h: ESP packets of another implementation, one of each suite that
// esp_vectors.h does not have; made by vectors/make_vectors.py, not by hand.
#pragma once

#include "tests/fastpath/esp_vectors.h"

namespace sekisho::fastpath {

// clang-format off
inline constexpr EspVector kEspSuiteVectors[] = {"""

SUITES_WANTED = sys.argv[1:] == ["suites"]
print(SUITES_HEAD if SUITES_WANTED else MAIN_HEAD)
for case in SUITE_CASES if SUITES_WANTED else CASES:
    name, outer, inner, natt, esn, sequence = case
    encryption_key, integrity_key, plain, packet = make(*case)
    flags = ", ".join(str(f).lower() for f in (natt, esn))
    print(f'    // {name}, {inner} in {outer}')
    print(f'    {{"{name}", {flags}, {sequence},')
    print("     " + ",\n     ".join(map(literal, (encryption_key, integrity_key, plain, packet))) + "},")
print("""};
// clang-format on

}  // namespace sekisho::fastpath""")
