#include "ike/collision.h"

#include <algorithm>

namespace sekisho::ike {

const Bytes& LowerNonce(const Bytes& a, const Bytes& b) { return std::min(a, b); }

bool OursIsRedundant(const Bytes& our_lowest_nonce, const Bytes& rival_nonce) {
  return our_lowest_nonce < rival_nonce;
}

OwnExchange* OwnRekeyOf(IkeSa& sa, ChildSaId child) {
  OwnExchange* own = sa.own.get();
  const bool is_it = own != nullptr && own->kind == OwnExchange::Kind::kCreateChild && own->sent &&
                     own->negotiation.rekeys == child;
  return is_it ? own : nullptr;
}

OwnExchange* OwnRekeyOf(IkeSa& sa) {
  OwnExchange* own = sa.own.get();
  const bool is_it = own != nullptr && own->kind == OwnExchange::Kind::kRekeyIke && own->sent;
  return is_it ? own : nullptr;
}

bool IsChangingChildren(const IkeSa& sa) {
  if (sa.own == nullptr) return false;
  return sa.own->kind == OwnExchange::Kind::kCreateChild ||
         sa.own->kind == OwnExchange::Kind::kDeleteChild;
}

}  // namespace sekisho::ike
