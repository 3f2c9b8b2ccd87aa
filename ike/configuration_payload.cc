#include "ike/configuration_payload.h"

#include <algorithm>

#include "common/bytes.h"

namespace sekisho::ike {
namespace {

using Attribute = ConfigurationPayload::Attribute;

bool Asks(const ConfigurationPayload& request, ConfigurationAttribute type) {
  return std::any_of(request.attributes.begin(), request.attributes.end(),
                     [type](const Attribute& attribute) { return attribute.type == type; });
}

Attribute AddressAttribute(ConfigurationAttribute type, const IpAddress& address) {
  return {type, ToBytes(address.bytes())};
}

}  // namespace

void BuildConfigurationRequest(const IkeSa& sa, std::vector<Payload>& payloads) {
  ConfigurationPayload request{.type = ConfigurationType::kRequest, .attributes = {}};
  if (sa.connection->request_ipv4) {
    request.attributes.push_back({ConfigurationAttribute::kInternalIp4Address, {}});
    request.attributes.push_back({ConfigurationAttribute::kInternalIp4Dns, {}});
  }
  if (sa.connection->request_ipv6) {
    request.attributes.push_back({ConfigurationAttribute::kInternalIp6Address, {}});
    request.attributes.push_back({ConfigurationAttribute::kInternalIp6Dns, {}});
  }
  if (!request.attributes.empty()) payloads.push_back(std::move(request));
}

bool ProcessConfigurationReply(const Message& response, IkeSa& sa) {
  if (!sa.connection->request_ipv4 && !sa.connection->request_ipv6) return true;
  const auto* reply = response.Find<ConfigurationPayload>();
  if (reply == nullptr || reply->type != ConfigurationType::kReply) return false;
  for (const Attribute& attribute : reply->attributes) {
    const ByteSpan value = attribute.value;
    if (attribute.type == ConfigurationAttribute::kInternalIp4Address && value.size() == 4) {
      sa.virtual_ipv4 = IpAddress::V4(value);
    }
    // 16 bytes and the prefix length, which the address alone does not need.
    if (attribute.type == ConfigurationAttribute::kInternalIp6Address && value.size() >= 16) {
      sa.virtual_ipv6 = IpAddress::V6(value.first(16));
    }
  }
  return sa.virtual_ipv4 || sa.virtual_ipv6;
}

bool AskForLease(Core& core, IkeSa& sa, const Message& request) {
  const auto* configuration = request.Find<ConfigurationPayload>();
  if (configuration == nullptr || configuration->type != ConfigurationType::kRequest) return false;
  const bool ipv4 = sa.connection->assign_ipv4 &&
                    Asks(*configuration, ConfigurationAttribute::kInternalIp4Address);
  const bool ipv6 = sa.connection->assign_ipv6 &&
                    Asks(*configuration, ConfigurationAttribute::kInternalIp6Address);
  if (!ipv4 && !ipv6) return false;
  sa.lease_asked = true;
  sa.peer->waits_for_lease = true;
  core.Emit(AskLease{.ike_sa = sa.id,
                     .connection = sa.connection->name,
                     .peer = sa.remote_identity,
                     .ipv4 = ipv4,
                     .ipv6 = ipv6});
  return true;
}

bool LeaseFailed(const PeerExchange& peer) {
  if (!peer.lease) return false;
  return !peer.lease->ok() || (!(*peer.lease)->ipv4 && !(*peer.lease)->ipv6);
}

void BuildConfigurationReply(const PeerExchange& peer, std::vector<Payload>& payloads) {
  if (!peer.lease || LeaseFailed(peer)) return;
  const Lease& lease = **peer.lease;
  ConfigurationPayload reply{.type = ConfigurationType::kReply, .attributes = {}};
  if (lease.ipv4) {
    reply.attributes.push_back(
        AddressAttribute(ConfigurationAttribute::kInternalIp4Address, *lease.ipv4));
  }
  if (lease.ipv6) {
    Attribute address = AddressAttribute(ConfigurationAttribute::kInternalIp6Address, *lease.ipv6);
    address.value.push_back(static_cast<uint8_t>(lease.ipv6_prefix_length));
    reply.attributes.push_back(std::move(address));
  }
  for (const IpAddress& server : lease.dns) {
    reply.attributes.push_back(AddressAttribute(server.is_v4()
                                                    ? ConfigurationAttribute::kInternalIp4Dns
                                                    : ConfigurationAttribute::kInternalIp6Dns,
                                                server));
  }
  payloads.push_back(std::move(reply));
}

}  // namespace sekisho::ike
