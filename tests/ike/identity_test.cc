#include "ike/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ike/hex.h"

namespace sekisho::ike {
namespace {

using testing::HasSubstr;

Identity Id(absl::string_view text) { return *Identity::Parse(text); }
bool Matches(absl::string_view pattern, absl::string_view identity) {
  return IdentityPattern::Parse(pattern)->Matches(Id(identity));
}

// What a person writes decides on the type.
TEST(IdentityTest, TypeFollowsFromText) {
  EXPECT_EQ(Id("192.0.2.1").type, IdentityType::kIpv4Address);
  EXPECT_EQ(Id("192.0.2.1").data, Hex("c0000201"));
  EXPECT_EQ(Id("2001:db8::1").type, IdentityType::kIpv6Address);
  EXPECT_EQ(Id("vpn.example.org").type, IdentityType::kFqdn);
  EXPECT_EQ(Id("@vpn.example.org"), Id("vpn.example.org"));
  EXPECT_EQ(Id("a@example.org").type, IdentityType::kRfc822Address);
  EXPECT_EQ(Id("@#6b6579").type, IdentityType::kKeyId);
  EXPECT_EQ(Id("@#6b6579").data, TextBytes("key"));
  EXPECT_EQ(Id("CN=client, O=Example").type, IdentityType::kDerAsn1Dn);
}

// Parse(ToString()) is the identity again.
TEST(IdentityTest, TextRoundTrip) {
  for (const char* text : {"192.0.2.1", "2001:db8::1", "vpn.example.org", "a@example.org",
                           "@#6b6579", "C=CH, O=Interop Rig, CN=x", "CN=a\\, b, O=E",
                           "C=CH, ST=Zug, L=Baar, OU=Staff, emailAddress=a@example.org"}) {
    EXPECT_EQ(Id(text).ToString(), text);
    EXPECT_EQ(Id(Id(text).ToString()), Id(text)) << text;
  }
}

TEST(IdentityTest, WrongTextIsRefused) {
  for (const char* text : {"", "@", "@#", "@#6b7", "@#xy", "a b", "%any", "*.example.org", "XY=a",
                           "CN=", "CN=a,", "\x01"}) {
    const auto identity = Identity::Parse(text);
    EXPECT_FALSE(identity.ok()) << text;
    EXPECT_THAT(identity.status().message(), HasSubstr("found")) << text;
  }
}

// A peer's identity cannot start a line of its own in the log, nor fill it.
TEST(IdentityTest, TextIsEscapedAndBounded) {
  const Identity forged = {IdentityType::kFqdn, TextBytes("a\n2026 peer up\x1b[1m\xff")};
  for (char c : forged.ToString()) EXPECT_TRUE(c >= ' ' && c <= '~') << int{c};
  const Identity dn = Id("CN=a\\0A\\C3\\A9");
  for (char c : dn.ToString()) EXPECT_TRUE(c >= ' ' && c <= '~') << int{c};
  EXPECT_LT((Identity{IdentityType::kFqdn, Bytes(60000, 'a')}).ToString().size(), 1100u);
  EXPECT_EQ((Identity{IdentityType::kDerAsn1Dn, Hex("0102")}).ToString(), "id-type-9-0102");
  EXPECT_EQ((Identity{IdentityType{13}, {}}).ToString(), "id-type-13-");
}

TEST(IdentityPatternTest, AnyMatchesAll) {
  EXPECT_TRUE(IdentityPattern().Matches(Id("a@b")));
  EXPECT_TRUE(Matches("%any", "192.0.2.1"));
  EXPECT_TRUE(Matches("*", "CN=a"));
  EXPECT_TRUE(IdentityPattern::Parse("%any")->is_any());
  EXPECT_FALSE(IdentityPattern::Parse("a")->is_any());
}

TEST(IdentityPatternTest, ExactTextIgnoresCase) {
  EXPECT_TRUE(Matches("vpn.example.org", "VPN.Example.ORG"));
  EXPECT_FALSE(Matches("vpn.example.org", "vpn.example.org.evil"));
  EXPECT_FALSE(Matches("vpn.example.org", "a@vpn.example.org"));
  EXPECT_TRUE(Matches("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(Matches("192.0.2.1", "192.0.2.2"));
}

TEST(IdentityPatternTest, WildcardMatchesWithinItsType) {
  EXPECT_TRUE(Matches("*.example.org", "a.B.example.org"));
  EXPECT_TRUE(Matches("client*.example.org", "client17.example.org"));
  EXPECT_FALSE(Matches("*.example.org", "example.org"));
  EXPECT_FALSE(Matches("*.example.org", "a.example.org.evil"));
  EXPECT_FALSE(Matches("*.example.org", "me@a.example.org"));
  EXPECT_TRUE(Matches("*@example.org", "me@example.org"));
  EXPECT_FALSE(Matches("*@example.org", "me@a.example.org"));
}

// Names compare by attribute: a value that holds the text of another attribute is only a value.
TEST(IdentityPatternTest, NamesCompareByAttribute) {
  EXPECT_TRUE(Matches("O=example, CN=a", "O=Example, CN=A"));
  EXPECT_FALSE(Matches("O=Example, CN=a", "CN=a, O=Example"));
  EXPECT_TRUE(Matches("C=*, O=Example, CN=*", "C=CH, O=Example, CN=a"));
  EXPECT_FALSE(Matches("O=Example, CN=*", "O=Example, OU=b, CN=a"));
  EXPECT_FALSE(Matches("CN=*, O=Example", "CN=evil\\, O=Example"));
}

}  // namespace
}  // namespace sekisho::ike
