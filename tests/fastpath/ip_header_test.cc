#include "fastpath/ip_header.h"

#include <gtest/gtest.h>
#include <rte_ip.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "common/byte_order.h"

namespace sekisho::fastpath {
namespace {

using Header = std::array<uint8_t, kIpv4HeaderBytes>;

uint16_t WholeChecksum(Header header) {
  StoreBigEndian<uint16_t>(&header[10], 0);
  return static_cast<uint16_t>(~rte_raw_cksum(header.data(), header.size()));
}

uint16_t ChecksumOf(const Header& header) {
  uint16_t checksum;
  std::memcpy(&checksum, &header[10], sizeof(checksum));
  return checksum;
}

// With every checksum that a header can have, those next to 0 and 0xffff among them.
TEST(CountDownTtl, LeavesTheChecksumThatTheWholeHeaderMakes) {
  for (uint32_t id = 0; id <= UINT16_MAX; ++id) {
    Header header;
    WriteIpHeader(header.data(), {.source = IpAddress::V4(0xc633'6401),
                                  .destination = IpAddress::V4(0xcb00'7101),
                                  .protocol = 17,
                                  .ttl = static_cast<uint8_t>(1 + id % 255),
                                  .payload_bytes = 64,
                                  .ipv4_id = static_cast<uint16_t>(id)});
    CountDownTtl(header.data(), 4);
    ASSERT_EQ(ChecksumOf(header), WholeChecksum(header)) << "identification " << id;
    ASSERT_EQ(header[8], id % 255);
  }
}

TEST(CountDownTtl, OfIpv6TouchesTheHopLimitAlone) {
  std::array<uint8_t, kIpv6HeaderBytes> header;
  header.fill(0xff);
  std::array<uint8_t, kIpv6HeaderBytes> expected = header;
  expected[7] = 0xfe;
  CountDownTtl(header.data(), 6);
  EXPECT_EQ(header, expected);
}

}  // namespace
}  // namespace sekisho::fastpath
