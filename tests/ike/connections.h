// tests/ike/connections.h: connections that fit each other, for tests to change.
#pragma once

#include <string>

#include "ike/connection.h"

namespace sekisho::ike {

inline Identity Id(const std::string& text) { return *Identity::Parse(text); }
inline IdentityPattern Pattern(const std::string& text) { return *IdentityPattern::Parse(text); }
inline SecretBytes Psk(const std::string& text) {
  return SecretBytes(Bytes(text.begin(), text.end()));
}
inline TrafficSelector Selector(const std::string& text) { return *TrafficSelector::Parse(text); }

inline ChildTemplate Child(const std::string& name, TrafficSelectors local,
                           TrafficSelectors remote) {
  ChildTemplate child;
  child.name = name;
  child.local = std::move(local);
  child.remote = std::move(remote);
  child.esp_proposals = {*AlgorithmProposal::ParseEsp("aes256gcm16")};
  return child;
}

// "home": the client's side; calls the gateway, net 192.168.5.0/24 behind it.
inline Connection ClientConnection() {
  Connection connection;
  connection.name = "home";
  connection.ike_proposals = {*AlgorithmProposal::ParseIke("aes128gcm16-prfsha256-x25519")};
  connection.local.identity = Id("client1.example.org");
  connection.remote.identities = {Pattern("vpn.example.org")};
  connection.psks[Id("vpn.example.org")] = Psk("secret of client 1");
  connection.children = {Child("net", {Selector("192.168.5.0/24")}, {Selector("10.10.0.0/24")})};
  connection.remote_endpoint = Endpoint{*IpAddress::Parse("203.0.113.1"), kIkePort};
  connection.dpd_delay = absl::ZeroDuration();
  return connection;
}

// "staff": the gateway's side.
inline Connection GatewayConnection() {
  Connection connection;
  connection.name = "staff";
  connection.ike_proposals = {*AlgorithmProposal::ParseIke("aes128gcm16-prfsha256-x25519")};
  connection.local.identity = Id("vpn.example.org");
  connection.remote.identities = {Pattern("*.example.org")};
  connection.psks[Id("client1.example.org")] = Psk("secret of client 1");
  connection.children = {Child("net", {Selector("10.10.0.0/24")}, {Selector("192.168.5.0/24")})};
  connection.dpd_delay = absl::ZeroDuration();
  return connection;
}

}  // namespace sekisho::ike
