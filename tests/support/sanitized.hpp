#pragma once

namespace statehouse::test {

// GCC defines a macro, clang 19 answers a question.
#if defined(__SANITIZE_ADDRESS__)
#define STATEHOUSE_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#define STATEHOUSE_ADDRESS_SANITIZER __has_feature(address_sanitizer)
#else
#define STATEHOUSE_ADDRESS_SANITIZER 0
#endif
#if defined(__SANITIZE_THREAD__)
#define STATEHOUSE_THREAD_SANITIZER 1
#elif defined(__has_feature)
#define STATEHOUSE_THREAD_SANITIZER __has_feature(thread_sanitizer)
#else
#define STATEHOUSE_THREAD_SANITIZER 0
#endif

/// A thread of the sanitizer's own runs in every process.
constexpr bool thread_sanitized = STATEHOUSE_THREAD_SANITIZER;
/// Sanitizers make everything some ten times slower.
constexpr bool sanitized = thread_sanitized || STATEHOUSE_ADDRESS_SANITIZER;

#undef STATEHOUSE_ADDRESS_SANITIZER
#undef STATEHOUSE_THREAD_SANITIZER

}  // namespace statehouse::test
