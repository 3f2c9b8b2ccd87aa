// Fragments through reassembly. Each four bytes of the input are one: what, offset, length, flags.
//   what    bits 0-1 the packet's identification, bit 2 IPv6, bits 3-4 where it comes from (from a
//           tunnel or in clear), bits 5-7 if all set: the table's time passes first
//   offset  in units of 8 bytes; length in units of 8 bytes, cut to what a frame carries
//   flags   bit 0 more follow, bit 1 the length is 3 less, bit 2 the offset is far up
// A byte of a packet says its place in it, so that any packet that comes out can be checked.
#include <algorithm>
#include <cstring>

#include "common/check.h"
#include "fastpath/dispose.h"
#include "fastpath/mbuf.h"
#include "fastpath/parse.h"
#include "fastpath/reassemble.h"
#include "tests/fastpath/packet_builder.h"

namespace sekisho::fastpath {
namespace {

constexpr uint64_t kHz = 1'000'000'000;
constexpr size_t kRecordBytes = 4, kRecordsMax = 256;
constexpr size_t kPieceBytesMax = 1400;
constexpr uint8_t kProtocol = 99;

Worker& TheWorker() {
  static Worker* const worker = [] {
    EnsureEal();
    auto* made = new Worker;
    made->packets = TestPool();
    made->large_packets = TestPool();
    made->now_tsc = kHz;
    made->reassembly = CreateReassemblyTable(kHz);
    return made;
  }();
  return *worker;
}

uint8_t ByteAt(uint8_t id, size_t place) {
  return static_cast<uint8_t>(place * 31 + place / 256 + id);
}

Bytes PieceOf(const uint8_t* record) {
  const uint8_t id = record[0] & 3;
  const bool more = (record[3] & 1) != 0;
  size_t offset = size_t{record[1]} * 8;
  if ((record[3] & 4) != 0) offset += 62'000;
  size_t length = std::min(size_t{record[2]} * 8, kPieceBytesMax);
  if ((record[3] & 2) != 0) length -= std::min<size_t>(length, 3);
  Bytes payload(length);
  for (size_t i = 0; i < length; ++i) payload[i] = ByteAt(id, offset + i);
  if ((record[0] & 4) == 0) {
    return Ipv4("198.51.100.9", "203.0.113.1")
        .Id(id)
        .Fragment(static_cast<uint16_t>(offset), more)
        .Protocol(kProtocol)
        .Payload(payload)
        .Build();
  }
  Bytes header = {kProtocol, 0, 0, 0, 0, 0, 0, id};
  StoreBigEndian<uint16_t>(&header[2], static_cast<uint16_t>(offset | (more ? 1 : 0)));
  return Ipv6("2001:db8::9", "2001:db8:113::1")
      .Protocol(44)
      .Payload(header)
      .Payload(payload)
      .Build();
}

uint64_t Dropped(const Worker& worker) {
  uint64_t count = 0;
  for (const auto& of_port : worker.counters.drops) {
    for (const auto& counter : of_port) count += counter.Get();
  }
  return count;
}

void CheckWhole(rte_mbuf* whole, uint8_t id) {
  const PacketContext& context = ContextOf(whole);
  SEKISHO_CHECK(whole->nb_segs == 1 && !context.fragment);
  const ByteSpan bytes = SpanOf(whole);
  for (size_t i = context.l4_offset; i < bytes.size(); ++i) {
    SEKISHO_CHECK(bytes[i] == ByteAt(id, i - context.l4_offset));
  }
}

void Feed(Worker& worker, const uint8_t* record) {
  if (record[0] >> 5 == 7) {
    worker.now_tsc += kReassemblyTimeoutSeconds * kHz;
    ExpireFragments(worker);
  }
  rte_mbuf* mbuf = MakeMbuf(PieceOf(record)).release();
  PacketContext& context = ContextOf(mbuf);
  context = {};
  context.decapsulated = (record[0] & 8) != 0;
  if (!ParseIp(mbuf, context) || !context.fragment) {
    rte_pktmbuf_free(mbuf);
    return;
  }
  const uint64_t held = worker.reassembly.held;
  const uint64_t gone = Dropped(worker) + worker.counters.consumed.Get();
  rte_mbuf* whole = Reassemble(worker, mbuf);
  // Each piece is held, dropped, consumed, or the packet.
  SEKISHO_CHECK(held + 1 == worker.reassembly.held + Dropped(worker) +
                                worker.counters.consumed.Get() - gone + (whole == nullptr ? 0 : 1));
  if (whole == nullptr) return;
  CheckWhole(whole, record[0] & 3);
  rte_pktmbuf_free(whole);
}

}  // namespace
}  // namespace sekisho::fastpath

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sekisho::fastpath;
  Worker& worker = TheWorker();
  const unsigned before = BuffersInUse();
  const size_t records = std::min(size / kRecordBytes, kRecordsMax);
  for (size_t i = 0; i < records; ++i) {
    Feed(worker, bytes + i * kRecordBytes);
    FreeDisposed(worker);
  }
  worker.now_tsc += 10 * kReassemblyTimeoutSeconds * kHz;
  ExpireFragments(worker);
  FreeDisposed(worker);
  SEKISHO_CHECK(worker.reassembly.held == 0);
  SEKISHO_CHECK(BuffersInUse() == before);
  return 0;
}
