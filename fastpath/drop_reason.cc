#include "fastpath/drop_reason.h"

#include <iterator>

#include "common/check.h"

namespace sekisho::fastpath {
namespace {

struct Text {
  const char* name;
  const char* meaning;
};

constexpr Text kTexts[] = {{"none", "not dropped"},
#define SEKISHO_TEXT(enumerator, name, meaning) {name, meaning},
                           SEKISHO_DROP_REASONS(SEKISHO_TEXT)
#undef SEKISHO_TEXT
};
static_assert(std::size(kTexts) == kDropReasons);

const Text& TextOf(DropReason reason) {
  SEKISHO_CHECK(static_cast<size_t>(reason) < kDropReasons);
  return kTexts[static_cast<size_t>(reason)];
}

}  // namespace

const char* Name(DropReason reason) { return TextOf(reason).name; }
const char* Meaning(DropReason reason) { return TextOf(reason).meaning; }

}  // namespace sekisho::fastpath
