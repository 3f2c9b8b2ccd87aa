// fastpath/ah_mutable_fields.h: what of an IP packet's headers AH does not cover, because it
// changes on the way (RFC 4302, 3.3.3.1 and appendix A).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sekisho::fastpath {

// Makes the headers in front of AH what the ICV is computed over: mutable fields are zeros, and
// those that can be foretold are as they are when the packet arrives. In place: the caller keeps a
// copy to put back. Requires: headers of a packet that ParseIp() accepted, up to AH.
//
// False where AH cannot stand behind these headers: a fragment header (RFC 4302, 3.3.4: whole
// packets only), or an option or routing header that lies about its length.
bool ZeroMutableFields(std::span<uint8_t> headers);

}  // namespace sekisho::fastpath
