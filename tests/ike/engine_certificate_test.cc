// Authentication with certificates (RFC 7296, 2.15; RFC 7427), alone and mixed with keys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ike/connections.h"
#include "tests/ike/simulation.h"
#include "tests/ike/test_certificates.h"

namespace sekisho::ike {
namespace {

using testing::HasSubstr;

class EngineCertificate : public testing::Test {
 protected:
  // curve "": RSA.
  static TestCertificate Authority() {
    return MakeCertificate({.subject = {{"CN", "Test CA"}}, .authority = true});
  }
  static TestCertificate Leaf(const TestCertificate& authority, const std::string& name,
                              const std::string& curve,
                              absl::Duration validity = absl::Hours(24 * 365)) {
    return MakeCertificate({.subject = {{"CN", name}},
                            .extensions = {{NID_subject_alt_name, "DNS:" + name}},
                            .curve = curve,
                            .validity = validity,
                            .issuer = &authority});
  }
  static void Use(LocalAuthentication& local, const TestCertificate& leaf) {
    local.kind = AuthenticationKind::kCertificate;
    local.chain = {leaf.certificate};
    local.private_key = leaf.private_key;
  }
  static void Trust(RemoteAuthentication& remote, const TestCertificate& authority) {
    remote.kind = AuthenticationKind::kCertificate;
    remote.trust_store = std::make_shared<TrustStore>(
        std::vector<std::shared_ptr<const Certificate>>{authority.certificate});
  }
  void RunBoth() {
    sim.Connect(client, gateway);
    sim.Call();
    sim.Run(absl::Minutes(1));
  }
  void ExpectUp() {
    EXPECT_EQ(sim.client.Count("ike-sa-up"), 1) << sim.transcript();
    EXPECT_EQ(sim.gateway.Count("ike-sa-up"), 1);
    EXPECT_EQ(sim.client.inbound.size(), 1u);
    sim.ExpectAgreement();
  }

  Simulation sim{1};
  Connection client = ClientConnection(), gateway = GatewayConnection();
};

// IKE_SA_INIT { ... N(SIGNATURE_HASH_ALGORITHMS) } -->   <-- { ... CERTREQ N(SIGNATURE_...) }
// IKE_AUTH { IDi CERT CERTREQ IDr AUTH(14) ... } -->     <-- { IDr CERT AUTH(14) ... }
TEST_F(EngineCertificate, RsaAndEcdsaOnBothSides) {
  for (const std::string curve : {"", "P-256", "P-384"}) {
    SCOPED_TRACE(curve);
    Simulation local(1);
    const TestCertificate authority = Authority();
    const TestCertificate ours = Leaf(authority, "client1.example.org", curve);
    const TestCertificate theirs = Leaf(authority, "vpn.example.org", curve);
    Use(client.local, ours);
    Use(gateway.local, theirs);
    Trust(client.remote, authority);
    Trust(gateway.remote, authority);
    local.Connect(client, gateway);
    local.Call();
    local.Run(absl::Seconds(10));
    EXPECT_EQ(local.client.Count("ike-sa-up"), 1) << local.transcript();
    EXPECT_EQ(local.gateway.Count("ike-sa-up"), 1);
    EXPECT_THAT(local.client.Messages()[1], HasSubstr("CERTREQ"));
    EXPECT_THAT(local.client.Messages()[2], HasSubstr("CERT CERTREQ"));
    local.ExpectAgreement();
  }
}

TEST_F(EngineCertificate, GatewayByCertificateClientByPsk) {
  const TestCertificate authority = Authority();
  const TestCertificate theirs = Leaf(authority, "vpn.example.org", "P-256");
  Use(gateway.local, theirs);
  Trust(client.remote, authority);
  RunBoth();
  ExpectUp();
}

TEST_F(EngineCertificate, IdentityThatTheCertificateDoesNotName) {
  const TestCertificate authority = Authority();
  const TestCertificate ours = Leaf(authority, "client2.example.org", "P-256");
  Use(client.local, ours);
  Trust(gateway.remote, authority);
  RunBoth();
  EXPECT_THAT(sim.gateway.Field("ike-sa-failed", "reason"),
              HasSubstr("does not speak for identity client1.example.org"));
  EXPECT_TRUE(sim.gateway.inbound.empty());
  EXPECT_TRUE(sim.gateway.engine->idle());
}

TEST_F(EngineCertificate, CertificateOfAnotherAuthority) {
  const TestCertificate authority = Authority(), other = Authority();
  const TestCertificate ours = Leaf(other, "client1.example.org", "P-256");
  Use(client.local, ours);
  Trust(gateway.remote, authority);
  RunBoth();
  EXPECT_EQ(sim.gateway.Count("ike-sa-failed"), 1);
  EXPECT_EQ(sim.gateway.engine->counters().authentication_failed, 1u);
  EXPECT_TRUE(sim.gateway.engine->idle());
}

TEST_F(EngineCertificate, KeyThatIsNotTheCertificates) {
  const TestCertificate authority = Authority();
  const TestCertificate ours = Leaf(authority, "client1.example.org", "P-256");
  const TestCertificate stolen = Leaf(authority, "client1.example.org", "P-256");
  Use(client.local, ours);
  client.local.private_key = stolen.private_key;
  Trust(gateway.remote, authority);
  RunBoth();
  EXPECT_EQ(sim.gateway.Count("ike-sa-failed"), 1);
  EXPECT_EQ(sim.gateway.Count("ike-sa-up"), 0);
}

TEST_F(EngineCertificate, ExpiredCertificate) {
  const TestCertificate authority = Authority();
  const TestCertificate ours =
      Leaf(authority, "client1.example.org", "P-256", absl::Milliseconds(-1000));
  Use(client.local, ours);
  Trust(gateway.remote, authority);
  RunBoth();
  EXPECT_THAT(sim.gateway.Field("ike-sa-failed", "reason"), HasSubstr("expired"));
}

// The client takes the gateway for somebody else and takes back what it had set up there.
TEST_F(EngineCertificate, GatewayThatTheClientDoesNotTrust) {
  const TestCertificate authority = Authority(), other = Authority();
  const TestCertificate theirs = Leaf(other, "vpn.example.org", "P-256");
  Use(gateway.local, theirs);
  Trust(client.remote, authority);
  RunBoth();
  EXPECT_EQ(sim.client.Count("ike-sa-failed"), 1);
  EXPECT_EQ(sim.gateway.Count("child-sa-down"), 1);
  EXPECT_TRUE(sim.gateway.engine->idle());
  EXPECT_TRUE(sim.client.engine->idle());
  sim.ExpectAgreement();
}

}  // namespace
}  // namespace sekisho::ike
