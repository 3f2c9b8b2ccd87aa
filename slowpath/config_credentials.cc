// Pre-shared keys, certificates and private keys: who we are and whom we believe.
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ike/certificate.h"
#include "ike/signature.h"
#include "slowpath/config_sections.h"
#include "slowpath/config_values.h"

namespace sekisho::slowpath {
namespace {

bool IsWorldReadable(const std::string& file) {
  struct stat status = {};
  return stat(file.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0;
}

// The content of a file that holds a secret.
std::optional<std::string> ReadSecretFile(const ConfigNode& node) {
  const auto name = node.Text("the name of a file");
  if (!name.has_value()) return std::nullopt;
  const std::string& config_path = node.errors().path();
  absl::StatusOr<std::string> content = ReadWholeFile(config_path, *name);
  if (!content.ok()) {
    node.Fail(content.status().message());
    return std::nullopt;
  }
  if (IsWorldReadable(ResolveFileName(config_path, *name))) {
    node.Warn(absl::StrCat("'", *name, "' holds a secret and every user may read it; chmod 600"));
  }
  return *std::move(content);
}

bool ReadSecretOf(const ConfigNode& node, absl::StatusOr<SecretBytes> (*parse)(absl::string_view),
                  SecretBytes& secret) {
  auto content = ReadSecretFile(node);
  if (!content.has_value()) return false;
  // What an editor puts at the end of a line is not part of the key.
  absl::string_view text = *content;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  absl::StatusOr<SecretBytes> parsed = parse(text);
  WipeMemory(content->data(), content->size());
  if (!parsed.ok()) {
    node.Fail(parsed.status().message());
    return false;
  }
  secret = *std::move(parsed);
  return true;
}

using Certificates = std::vector<std::shared_ptr<const ike::Certificate>>;

void ReadCertificates(const ConfigNode& node, Certificates& certificates) {
  const auto name = node.Text("the name of a PEM file");
  if (!name.has_value()) return;
  const absl::StatusOr<std::string> pem = ReadWholeFile(node.errors().path(), *name);
  if (!pem.ok()) return node.Fail(pem.status().message());
  absl::StatusOr<Certificates> parsed = ike::Certificate::FromPem(*pem);
  if (!parsed.ok()) return node.Fail(absl::StrCat("'", *name, "': ", parsed.status().message()));
  certificates.insert(certificates.end(), parsed->begin(), parsed->end());
}

void ReadPrivateKey(const ConfigNode& node, ike::LocalAuthentication& local) {
  auto pem = ReadSecretFile(node);
  if (!pem.has_value()) return;
  auto key = ike::PrivateKey::FromPem(*pem);
  WipeMemory(pem->data(), pem->size());
  if (!key.ok()) {
    return node.Fail(absl::StrCat("'", node.yaml().text, "': ", key.status().message()));
  }
  local.private_key = *std::move(key);
  if (!local.chain.empty() && !local.private_key->Matches(*local.chain[0])) {
    node.Fail(
        absl::StrCat("found the key of another certificate than ", local.chain[0]->SubjectText()));
  }
}

absl::StatusOr<ike::AuthenticationKind> ParseAuth(const std::string& text) {
  if (text == "psk") return ike::AuthenticationKind::kPsk;
  if (text == "certificate") return ike::AuthenticationKind::kCertificate;
  return Wanted(text, "psk or certificate");
}

std::optional<ike::AuthenticationKind> ReadAuth(ConfigMap& map) {
  ike::AuthenticationKind kind{};
  const auto auth = map.Require("auth", "psk or certificate");
  if (!auth.has_value() || !auth->Parse(ParseAuth, kind)) return std::nullopt;
  return kind;
}

// A key that belongs to the other kind of authentication.
void RefuseWithPsk(const std::optional<ConfigNode>& node) {
  if (node.has_value()) node->Fail("found with auth: psk, want it with auth: certificate only");
}

}  // namespace

bool ReadKey(const ConfigNode& node, SecretBytes& key) { return node.Parse(ParseKey, key); }

bool ReadKeyFile(const ConfigNode& node, SecretBytes& key) {
  return ReadSecretOf(node, ParseKey, key);
}

void ReadSecrets(ConfigMap& root, std::vector<SecretConfig>& secrets) {
  const auto section = root.Take("secrets");
  if (!section.has_value()) return;
  bool inline_psk = false;
  for (const ConfigNode& node : section->Items()) {
    SecretConfig secret;
    ConfigMap map(node);
    if (const auto id = map.Require("id", "a peer's identity, or %any")) {
      secret.any = id->yaml().text == "%any";
      if (id->yaml().text.find('*') != std::string::npos) {
        id->Fail(absl::StrCat("found '", id->yaml().text, "', want one identity, or %any"));
      } else if (!secret.any) {
        id->Parse(ike::Identity::Parse, secret.id);
      }
    }
    const auto psk = map.Take("psk");
    const auto psk_file = map.Take("psk_file");
    if (psk.has_value() == psk_file.has_value()) {
      node.Fail(psk.has_value() ? "found psk and psk_file, want one of them"
                                : "missing, want psk or psk_file");
    } else if (psk.has_value()) {
      inline_psk = true;
      psk->Parse(ParsePsk, secret.psk);
    } else {
      ReadSecretOf(*psk_file, ParsePsk, secret.psk);
    }
    map.Finish();
    const bool twice = std::any_of(secrets.begin(), secrets.end(), [&](const auto& earlier) {
      return earlier.any == secret.any && earlier.id == secret.id;
    });
    if (twice) node.Fail("found a second secret for this id");
    secrets.push_back(std::move(secret));
  }
  if (inline_psk && IsWorldReadable(section->errors().path())) {
    section->Warn("this file holds secrets and every user may read it; chmod 600");
  }
}

void ReadLocalAuthentication(const ConfigNode& node, ike::LocalAuthentication& local) {
  ConfigMap map(node);
  const auto kind = ReadAuth(map);
  const auto certificate = map.Take("certificate");
  const auto key = map.Take("key");
  const auto id = map.Take("id");
  map.Finish();
  if (!kind.has_value()) return;
  local.kind = *kind;
  const bool named = id.has_value() && id->Parse(ike::Identity::Parse, local.identity);
  if (local.kind == ike::AuthenticationKind::kPsk) {
    RefuseWithPsk(certificate);
    RefuseWithPsk(key);
    if (!id.has_value()) node.Fail("missing id, want our identity such as vpn.example.org");
    return;
  }
  if (!certificate.has_value() || !key.has_value()) {
    return node.Fail("missing, want certificate and key with auth: certificate");
  }
  ReadCertificates(*certificate, local.chain);
  ReadPrivateKey(*key, local);
  if (local.chain.empty()) return;
  if (!id.has_value()) {
    local.identity = local.chain[0]->subject();
  } else if (named && !local.chain[0]->Matches(local.identity)) {
    id->Fail(absl::StrCat("found ", local.identity.ToString(), ", which the certificate of ",
                          local.chain[0]->SubjectText(),
                          " does not speak for; want its subject or a subjectAltName"));
  }
}

void ReadRemoteAuthentication(const ConfigNode& node, ike::RemoteAuthentication& remote) {
  ConfigMap map(node);
  const auto kind = ReadAuth(map);
  map.ReadList("ids", ike::IdentityPattern::Parse, remote.identities);
  const auto ca = map.Take("ca");
  map.Finish();
  if (!kind.has_value()) return;
  remote.kind = *kind;
  if (remote.kind == ike::AuthenticationKind::kPsk) return RefuseWithPsk(ca);
  Certificates authorities;
  if (!ca.has_value() || ca->Items().empty()) {
    return node.Fail("missing ca, want the PEM files of the authorities that sign the peers");
  }
  for (const ConfigNode& file : ca->Items()) ReadCertificates(file, authorities);
  remote.trust_store = std::make_shared<ike::TrustStore>(std::move(authorities));
}

void AssignSecrets(const ConfigNode& node, const std::vector<SecretConfig>& secrets,
                   ike::Connection& connection) {
  if (connection.local.kind != ike::AuthenticationKind::kPsk &&
      connection.remote.kind != ike::AuthenticationKind::kPsk) {
    return;
  }
  const auto& patterns = connection.remote.identities;
  for (const SecretConfig& secret : secrets) {
    if (secret.any) {
      connection.any_psk = secret.psk;
    } else if (patterns.empty() ||
               std::any_of(patterns.begin(), patterns.end(),
                           [&](const auto& pattern) { return pattern.Matches(secret.id); })) {
      connection.psks.emplace(secret.id, secret.psk);
    }
  }
  if (connection.psks.empty() && !connection.any_psk.has_value()) {
    node.Fail("found auth: psk and no secret for its peers, want one in secrets, by id or %any");
  }
}

}  // namespace sekisho::slowpath
