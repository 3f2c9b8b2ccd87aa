// slowpath/show_format.h: tables and units for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/messages.h"
#include "common/spi.h"

namespace sekisho::slowpath {

// Columns as wide as their widest cell, two spaces apart, without spaces at the ends of lines.
class Table {
 public:
  // A title that begins with '>' makes a column of numbers: aligned on the right.
  explicit Table(const std::vector<std::string>& titles);
  // Requires: as many cells as titles.
  void AddRow(std::vector<std::string> cells);
  bool empty() const { return rows_.size() == 1; }
  std::string ToString() const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;  // the titles first
};

std::string CountText(uint64_t count);    // "1,234,567"
std::string BytesText(uint64_t bytes);    // "999 B", "1.2 kB", "3.4 GB": powers of 1000
std::string AgeText(absl::Duration age);  // "7s", "12m 3s", "3h 2m", "5d 4h"
std::string UntilText(absl::Time at, absl::Time now);  // AgeText(); "-" for never, "now" if past
std::string MacText(const MacAddress& mac);            // "02:00:00:00:00:01"
std::string IkeSpiText(uint64_t spi);                  // 16 hex digits

}  // namespace sekisho::slowpath
