#include "ike/distinguished_name.h"

#include <openssl/bio.h>
#include <openssl/objects.h>

#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sekisho::ike {
namespace {

struct AttributeAlias {
  absl::string_view alias;
  const char* name;
};
// What other programs write for attributes that OpenSSL calls otherwise.
constexpr std::array kAliases = {
    AttributeAlias{"E", "emailAddress"}, AttributeAlias{"Email", "emailAddress"},
    AttributeAlias{"S", "ST"},           AttributeAlias{"DNQ", "dnQualifier"},
    AttributeAlias{"T", "title"},        AttributeAlias{"G", "GN"},
    AttributeAlias{"I", "initials"},
};

int FindAttribute(absl::string_view text) {
  for (const AttributeAlias& alias : kAliases) {
    if (absl::EqualsIgnoreCase(alias.alias, text)) return OBJ_txt2nid(alias.name);
  }
  const std::string name(text);
  if (const int nid = OBJ_txt2nid(name.c_str()); nid != NID_undef) return nid;
  return OBJ_txt2nid(absl::AsciiStrToUpper(name).c_str());  // "cn" for "CN"
}

absl::Status NameError(absl::string_view text, absl::string_view found, absl::string_view want) {
  return absl::InvalidArgumentError(
      absl::StrCat("distinguished name '", text, "': found ", found, ", want ", want));
}

// Cuts "CN=a" off the front of `rest`, and the separator behind it, which is returned (0: the end).
// The value comes without its escapes.
struct RawAttribute {
  std::string type, value;
  char separator = 0;
};
RawAttribute CutAttribute(absl::string_view& rest) {
  RawAttribute attribute;
  const size_t equals = rest.find('=');
  attribute.type = std::string(absl::StripAsciiWhitespace(rest.substr(0, equals)));
  rest.remove_prefix(equals == absl::string_view::npos ? rest.size() : equals + 1);
  rest = absl::StripLeadingAsciiWhitespace(rest);
  size_t keep = 0;  // trailing spaces behind this are not part of the value, unless escaped
  size_t i = 0;
  for (; i < rest.size() && rest[i] != ',' && rest[i] != '+'; ++i) {
    const bool escape = rest[i] == '\\' && i + 1 < rest.size();
    if (escape && i + 2 < rest.size() && absl::ascii_isxdigit(rest[i + 1]) &&
        absl::ascii_isxdigit(rest[i + 2])) {
      const auto digit = [](char c) {
        return absl::ascii_isdigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10;
      };
      attribute.value.push_back(static_cast<char>(digit(rest[i + 1]) << 4 | digit(rest[i + 2])));
      i += 2;
    } else {
      if (escape) ++i;
      attribute.value.push_back(rest[i]);
    }
    if (escape || rest[i] != ' ') keep = attribute.value.size();
  }
  attribute.value.resize(keep);
  if (i < rest.size()) attribute.separator = rest[i++];
  rest.remove_prefix(i);
  return attribute;
}

}  // namespace

absl::StatusOr<std::vector<NameAttribute>> ParseAttributes(absl::string_view text) {
  std::vector<NameAttribute> attributes;
  absl::string_view rest = text;
  int rdn = 0;
  char separator;
  do {
    RawAttribute attribute = CutAttribute(rest);
    separator = attribute.separator;
    const int nid = FindAttribute(attribute.type);
    if (nid == NID_undef) {
      return NameError(text, absl::StrCat("attribute '", attribute.type, "'"),
                       "one as in C=CH, O=Example, OU=Staff, CN=client");
    }
    if (attribute.value.empty()) {
      return NameError(text, absl::StrCat("no value of ", attribute.type), "one");
    }
    attributes.push_back({nid, rdn, std::move(attribute.value)});
    if (separator != '+') ++rdn;
  } while (separator != 0);
  return attributes;
}

absl::StatusOr<X509NamePtr> ParseName(absl::string_view text) {
  SEKISHO_ASSIGN_OR_RETURN(const std::vector<NameAttribute> attributes, ParseAttributes(text));
  X509NamePtr name(X509_NAME_new());
  int rdn = -1;
  for (const NameAttribute& attribute : attributes) {
    const auto* value = reinterpret_cast<const unsigned char*>(attribute.value.data());
    if (X509_NAME_add_entry_by_NID(name.get(), attribute.nid, MBSTRING_UTF8, value,
                                   static_cast<int>(attribute.value.size()), -1,
                                   attribute.rdn == rdn ? -1 : 0) != 1) {
      return NameError(text, absl::StrCat("value '", attribute.value, "'"),
                       absl::StrCat("another (", TakeOpensslError(), ")"));
    }
    rdn = attribute.rdn;
  }
  return name;
}

X509NamePtr DecodeName(ByteSpan der) {
  const uint8_t* at = der.data();
  X509NamePtr name(d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (name == nullptr || at != der.data() + der.size()) return nullptr;
  return name;
}

Bytes EncodeName(const X509_NAME* name) {
  uint8_t* der = nullptr;
  const int size = i2d_X509_NAME(name, &der);
  Bytes bytes(der, der + (size > 0 ? size : 0));
  OPENSSL_free(der);
  return bytes;
}

std::string NameText(const X509_NAME* name) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0,
                     ASN1_STRFLGS_RFC2253 | XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

std::vector<NameAttribute> NameAttributes(const X509_NAME* name) {
  std::vector<NameAttribute> attributes;
  for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    NameAttribute attribute = {
        OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)), X509_NAME_ENTRY_set(entry), {}};
    uint8_t* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
    if (size > 0) attribute.value.assign(utf8, utf8 + size);
    OPENSSL_free(utf8);
    attributes.push_back(std::move(attribute));
  }
  return attributes;
}

bool SameName(const X509_NAME* a, const X509_NAME* b) { return X509_NAME_cmp(a, b) == 0; }

}  // namespace sekisho::ike
