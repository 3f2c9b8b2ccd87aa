#include "ike/retransmission.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace sekisho::ike {
namespace {

Header MakeHeader(const IkeSa& sa, ExchangeType exchange, uint32_t message_id, bool response) {
  return {.initiator_spi = sa.initiator_spi(),
          .responder_spi = sa.responder_spi(),
          .exchange = exchange,
          .from_initiator = sa.initiator,
          .response = response,
          .message_id = message_id};
}

void Send(Core& core, const Endpoint& local, const Endpoint& remote, Bytes bytes) {
  ++core.counters.datagrams_sent;
  core.Emit(SendDatagram{{local, remote, std::move(bytes)}});
}

void Launch(Core& core, IkeSa& sa, uint32_t message_id, Bytes bytes) {
  MessageWindow& window = sa.window;
  window.in_flight = true;
  window.own_id = message_id;
  window.tries_left = core.options.retransmit_tries;
  window.interval = core.options.retransmit_first;
  window.retransmit_at = core.now + window.interval;
  window.request = std::move(bytes);
  sa.own->sent = true;
  core.Touch(sa);
  Send(core, sa.local, sa.remote, window.request);
}

void GiveUp(Core& core, IkeSa& sa) {
  const int sent = core.options.retransmit_tries + 1;
  switch (sa.state) {
    case IkeSaState::kInitiating: {
      const std::string reason = sa.own->init_error.empty()
                                     ? absl::StrCat("no answer to ", sent, " IKE_SA_INIT requests")
                                     : sa.own->init_error;
      return EndIkeSa(core, sa, LogEvent::Level::kWarning, "ike-sa-failed", reason);
    }
    case IkeSaState::kAuthenticating:
      return EndIkeSa(core, sa, LogEvent::Level::kWarning, "ike-sa-failed",
                      absl::StrCat("no answer to ", sent, " IKE_AUTH requests"));
    case IkeSaState::kDeleting:
      return EndIkeSa(core, sa, LogEvent::Level::kInfo, "ike-sa-down",
                      "deleted by us; the peer did not answer");
    default:
      if (core.IsCurrent(sa)) ++core.counters.ike_sas_timed_out;
      return EndIkeSa(core, sa, LogEvent::Level::kWarning, "ike-sa-timed-out",
                      absl::StrCat("no answer to ", sent, " requests"));
  }
}

}  // namespace

Bytes SendInitRequest(Core& core, IkeSa& sa, const std::vector<Payload>& payloads) {
  const Header header = MakeHeader(sa, ExchangeType::kIkeSaInit, 0, false);
  Bytes bytes = EncodeMessage(header, payloads);
  LogMessage(core, "out", sa.remote, {.header = header, .payloads = payloads});
  sa.window.next_own_id = 1;
  Launch(core, sa, 0, bytes);
  return bytes;
}

void SendRequest(Core& core, IkeSa& sa, ExchangeType exchange,
                 const std::vector<Payload>& payloads) {
  SEKISHO_DCHECK(!sa.window.in_flight && sa.own != nullptr);
  const uint32_t message_id = sa.window.next_own_id++;
  const Header header = MakeHeader(sa, exchange, message_id, false);
  LogMessage(core, "out", sa.remote, {.header = header, .payloads = payloads});
  Launch(core, sa, message_id, sa.seal->Seal(header, payloads, core.random));
}

Bytes SendInitResponse(Core& core, IkeSa& sa, const std::vector<Payload>& payloads) {
  const Header header = MakeHeader(sa, ExchangeType::kIkeSaInit, 0, true);
  Bytes bytes = EncodeMessage(header, payloads);
  LogMessage(core, "out", sa.peer->remote, {.header = header, .payloads = payloads});
  sa.window.next_peer_id = 1;
  sa.window.response = bytes;
  Send(core, sa.peer->local, sa.peer->remote, bytes);
  sa.peer.reset();
  core.Touch(sa);
  return bytes;
}

void Respond(Core& core, IkeSa& sa, const std::vector<Payload>& payloads) {
  const std::unique_ptr<PeerExchange> peer = std::move(sa.peer);
  const Header& request = peer->request.header;
  const Header header = MakeHeader(sa, request.exchange, request.message_id, true);
  LogMessage(core, "out", peer->remote, {.header = header, .payloads = payloads});
  sa.window.response = sa.seal->Seal(header, payloads, core.random);
  sa.window.next_peer_id = request.message_id + 1;
  core.Touch(sa);
  Send(core, peer->local, peer->remote, sa.window.response);
}

void RepeatResponse(Core& core, IkeSa& sa, const Datagram& repeated) {
  if (sa.window.response.empty()) return;
  ++core.counters.retransmits_answered;
  Send(core, repeated.local, repeated.remote, sa.window.response);
}

void EndFlight(IkeSa& sa) {
  sa.window.in_flight = false;
  sa.window.request.clear();
  sa.window.retransmit_at = absl::InfiniteFuture();
}

void Retransmit(Core& core, IkeSa& sa) {
  MessageWindow& window = sa.window;
  if (window.tries_left-- == 0) return GiveUp(core, sa);
  window.interval *= core.options.retransmit_factor;
  window.retransmit_at = core.now + window.interval;
  ++core.counters.retransmits_sent;
  Send(core, sa.local, sa.remote, window.request);
}

void AnswerStranger(Core& core, const Datagram& request, const Header& header,
                    const NotifyPayload& notify) {
  const Header answer{.initiator_spi = header.initiator_spi,
                      .responder_spi = header.responder_spi,
                      .exchange = header.exchange,
                      .from_initiator = !header.from_initiator,
                      .response = true,
                      .message_id = header.message_id};
  LogMessage(core, "out", request.remote, {.header = answer, .payloads = {notify}});
  Send(core, request.local, request.remote, EncodeMessage(answer, {notify}));
}

void LogMessage(Core& core, absl::string_view direction, const Endpoint& peer,
                const Message& message) {
  core.Log(LogEvent::Level::kDebug, "ike-message",
           {{"direction", std::string(direction)},
            {"peer", peer.ToString()},
            {"message", Describe(message)}});
}

}  // namespace sekisho::ike
