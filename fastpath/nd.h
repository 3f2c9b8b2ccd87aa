// fastpath/nd.h: answers neighbour solicitations for our addresses and learns from solicitations
// and advertisements (RFC 4861, 7; RFC 4862, 5.4.3).
#pragma once

#include "fastpath/worker.h"

namespace sekisho::fastpath {

// Takes packets of kind kNd. Answers leave by the port that the solicitation came in on.
void Nd(Worker& worker, Burst burst);

}  // namespace sekisho::fastpath
