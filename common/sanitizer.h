// common/sanitizer.h: is this built with a sanitizer? GCC and Clang say it in different ways.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define SEKISHO_ADDRESS_SANITIZER 1
#elif defined(__SANITIZE_THREAD__)
#define SEKISHO_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SEKISHO_ADDRESS_SANITIZER 1
#elif __has_feature(thread_sanitizer)
#define SEKISHO_THREAD_SANITIZER 1
#endif
#endif

namespace sekisho {

// AddressSanitizer or ThreadSanitizer, which put an allocator and calls of their own in between.
#if defined(SEKISHO_ADDRESS_SANITIZER) || defined(SEKISHO_THREAD_SANITIZER)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace sekisho
