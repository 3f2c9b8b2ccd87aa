// bench/statistics.h: what is said of repeated samples.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace sekisho::bench {

// The value below which a share of the samples lies, between neighbours interpolated. Requires: at
// least one sample; 0 <= share <= 1.
inline double Quantile(std::vector<double> samples, double share) {
  std::sort(samples.begin(), samples.end());
  const double place = share * static_cast<double>(samples.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, samples.size() - 1);
  const double rest = place - static_cast<double>(below);
  return samples[below] + rest * (samples[above] - samples[below]);
}

inline double Median(const std::vector<double>& samples) { return Quantile(samples, 0.5); }

// How far apart the middle half of the samples is, as a share of their median.
inline double Spread(const std::vector<double>& samples) {
  return (Quantile(samples, 0.75) - Quantile(samples, 0.25)) / Median(samples);
}

}  // namespace sekisho::bench
