// common/status_macros.h: pass a failed absl::Status on to the caller.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define SEKISHO_RETURN_IF_ERROR(expression)                                 \
  do {                                                                      \
    if (absl::Status sekisho_status = (expression); !sekisho_status.ok()) { \
      return sekisho_status;                                                \
    }                                                                       \
  } while (false)

#define SEKISHO_CONCAT_INNER(a, b) a##b
#define SEKISHO_CONCAT(a, b) SEKISHO_CONCAT_INNER(a, b)

// SEKISHO_ASSIGN_OR_RETURN(auto value, ComputesStatusOr());
#define SEKISHO_ASSIGN_OR_RETURN(lhs, expression) \
  SEKISHO_ASSIGN_OR_RETURN_INNER(SEKISHO_CONCAT(sekisho_statusor_, __LINE__), lhs, expression)

#define SEKISHO_ASSIGN_OR_RETURN_INNER(statusor, lhs, expression) \
  auto statusor = (expression);                                   \
  if (!statusor.ok()) return std::move(statusor).status();        \
  lhs = *std::move(statusor)
