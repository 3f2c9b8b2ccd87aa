#include "ike/liveness.h"

#include "ike/retransmission.h"

namespace sekisho::ike {

void CheckLiveness(Core& core, IkeSa& sa) {
  const absl::Time due = sa.last_heard + sa.connection->dpd_delay;
  if (core.now < due) {
    sa.check_liveness_at = due;
    return;
  }
  AddTask(sa, {.kind = Task::Kind::kLiveness});
  sa.check_liveness_at = core.now + sa.connection->dpd_delay;
}

void BeginLiveness(Core& core, IkeSa& sa) {
  // Another exchange may have shown it while this one waited.
  if (core.now < sa.last_heard + sa.connection->dpd_delay) return;
  sa.own = std::make_unique<OwnExchange>();
  sa.own->kind = OwnExchange::Kind::kLiveness;
  SendRequest(core, sa, ExchangeType::kInformational, {});
}

}  // namespace sekisho::ike
