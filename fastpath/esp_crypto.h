// fastpath/esp_crypto.h: what a suite's cipher and integrity algorithm want to know of an ESP
// packet: IV, nonce, additional data, and the places in it. The one file that knows how algorithms
// differ.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fastpath/crypto_backend.h"
#include "fastpath/packet_context.h"
#include "fastpath/sa.h"

namespace sekisho::fastpath {

// Outbound. The ESP header, behind an IP header, stands `esp` bytes into the packet, complete;
// behind it comes room for the IV, which is written here, then `encrypted` bytes and room for the
// ICV.
CryptoJob EncryptJob(const OutboundSa& sa, rte_mbuf* mbuf, size_t esp, size_t encrypted,
                     uint64_t sequence);

// Inbound. The same places, of a packet as it came; where ESN without an AEAD the ICV moves back by
// four bytes, and false is returned when there is no room for that.
bool DecryptJob(const InboundSa& sa, rte_mbuf* mbuf, size_t esp, size_t encrypted,
                uint64_t sequence, CryptoJob& job);

// Both directions, of every packet that comes back from the backend, before anything looks at its
// headers: puts back what a job of this layout had to move in them.
void RestoreHeaders(const EspLayout& layout, rte_mbuf* mbuf);

}  // namespace sekisho::fastpath
