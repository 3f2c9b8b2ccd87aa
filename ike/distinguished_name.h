// ike/distinguished_name.h: X.501 names as people write them: "C=CH, O=Example, CN=client".
// For the .cc files of this folder only.
#pragma once

#include <openssl/x509.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/bytes.h"
#include "ike/openssl.h"

namespace sekisho::ike {

// The attributes of a name in order. Comparing these one by one, unlike comparing text, cannot be
// misled by a value that looks like two.
struct NameAttribute {
  int nid;            // OpenSSL's number of the type
  int rdn;            // attributes of the same RDN have the same number
  std::string value;  // UTF-8
};

// Attributes in the order they are written, which is the order of the encoding; separated by ','.
// '\,' stands for a comma in a value, '\41' for a byte, '+' starts another attribute of one RDN.
absl::StatusOr<std::vector<NameAttribute>> ParseAttributes(absl::string_view text);
absl::StatusOr<X509NamePtr> ParseName(absl::string_view text);
// nullptr: not the DER encoding of a name, or something follows it.
X509NamePtr DecodeName(ByteSpan der);
Bytes EncodeName(const X509_NAME* name);
// Printable ASCII only; everything else is escaped.
std::string NameText(const X509_NAME* name);
std::vector<NameAttribute> NameAttributes(const X509_NAME* name);

// Equal as RFC 5280, 7.1 compares: without regard to case, string type and superfluous spaces.
bool SameName(const X509_NAME* a, const X509_NAME* b);

}  // namespace sekisho::ike
