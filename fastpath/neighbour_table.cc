#include "fastpath/neighbour_table.h"

#include <rte_errno.h>
#include <rte_hash_crc.h>
#include <rte_memory.h>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace sekisho::fastpath {

absl::StatusOr<NeighbourTable> NeighbourTable::Create(const std::string& name) {
  rte_hash_parameters parameters = {};
  parameters.name = name.c_str();
  parameters.entries = kNeighboursMax;
  parameters.key_len = sizeof(Key);
  parameters.hash_func = rte_hash_crc;
  parameters.socket_id = SOCKET_ID_ANY;
  NeighbourTable table;
  table.hash_.reset(rte_hash_create(&parameters));
  if (table.hash_ == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("neighbours: no memory for the table: ", rte_strerror(rte_errno)));
  }
  // rte_hash gives positions from 0 to its number of key slots, which is one more than entries.
  table.entries_.resize(kNeighboursMax + 1);
  return table;
}

Neighbour* NeighbourTable::Find(PortId port, const IpAddress& address) {
  const Key key = {port, address};
  const int32_t position = rte_hash_lookup(hash_.get(), &key);
  return position < 0 ? nullptr : &entries_[static_cast<size_t>(position)];
}

Neighbour* NeighbourTable::FindOrAdd(PortId port, const IpAddress& address) {
  if (Neighbour* found = Find(port, address); found != nullptr) return found;
  const Key key = {port, address};
  const int32_t position = rte_hash_add_key(hash_.get(), &key);
  if (position < 0) return nullptr;
  SEKISHO_CHECK(static_cast<size_t>(position) < entries_.size());
  Neighbour& entry = entries_[static_cast<size_t>(position)];
  entry = {};
  return &entry;
}

void NeighbourTable::Remove(PortId port, const IpAddress& address) {
  const Key key = {port, address};
  const int32_t position = rte_hash_del_key(hash_.get(), &key);
  if (position < 0) return;
  SEKISHO_DCHECK(entries_[static_cast<size_t>(position)].pending_count == 0);
  entries_[static_cast<size_t>(position)] = {};
}

}  // namespace sekisho::fastpath
