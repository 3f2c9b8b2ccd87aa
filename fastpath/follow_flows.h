// fastpath/follow_flows.h: the stage that learns flows on the way in and finds them on the way out
// (fastpath/flow_table.h). The flows of a remote address are kept by one worker, its home
// (fastpath/home_worker.h); what another worker meets of them goes there.
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

// True: the packet went to the worker that is home to `remote`, to go on there at `stage`.
bool HandOverToFlowHome(Worker& worker, HandOverStage stage, const IpAddress& remote,
                        rte_mbuf* mbuf);

// Takes parsed packets that came out of an SA. Those whose answers the selectors alone would not
// send back right, because of NAT or because a policy is optional, are learned, and where they look
// like another's given another source port. What cannot be told apart is dropped.
void FollowDecapsulated(Worker& worker, Burst burst, PacketList& followed);

// The same for one packet that came in clear and was let in by an optional policy. False: dropped.
bool FollowClear(Worker& worker, rte_mbuf* mbuf);

// What a packet on its way out, which a PROTECT policy claims, belongs to.
enum class WayBack : uint8_t {
  kUnknown,  // no flow
  kSa,       // context.outbound_sa is set
  kClear,    // came in clear
  kNoSa,     // came through an SA that is not there any more
};
// Puts the port that the other end knows into it.
WayBack FindWayBack(Worker& worker, rte_mbuf* mbuf);

}  // namespace sekisho::fastpath
