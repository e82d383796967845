#pragma once

#include <algorithm>
#include <concepts>
#include <coroutine>
#include <functional>
#include <iterator>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "statehouse/detail/one_of.hpp"

struct sqlite3;
struct sqlite3_backup;
struct sqlite3_blob;
struct sqlite3_stmt;
struct sqlite3_value;
namespace SQLite {
class Backup;
class Column;
class Database;
class Savepoint;
class Statement;
class Transaction;
}  // namespace SQLite

/// What a closure that is given a connection may be, and may return: a value that needs no connection any more. When
/// the closure has returned, its transaction is over and its connection somebody else's.
namespace statehouse {

namespace detail {
class Session;
}
#pragma GCC visibility push(default)

class Reader;
class Connection;

namespace detail {

class Statement;

template <class T>
concept Awaitable = requires {
  typename std::coroutine_traits<T>::promise_type;
}
|| requires(T value) {
  value.await_ready();
  value.await_resume();
}
|| requires(T value) {
  static_cast<T&&>(value).operator co_await();
}
|| requires(T value) {
  operator co_await(static_cast<T&&>(value));
};
/// std::future and its kin, and threads.
template <class T>
concept Future = requires(T value) {
  value.get();
  value.wait();
}
|| requires(T value) {
  value.join();
  value.joinable();
};
/// A function of any kind: what it does with the connection, it does later.
template <class T>
concept Callable = std::invocable<T&> || std::invocable<T&, Connection&> || requires {
  &T::operator();
};
template <class T>
concept Deferred = Awaitable<T> || Future<T> || Callable<T>;

template <class T>
concept OfConnection = OneOf<std::remove_cv_t<T>, Reader, Connection, Session, Statement, SQLite::Backup,
                             SQLite::Column, SQLite::Database, SQLite::Savepoint, SQLite::Statement,
                             SQLite::Transaction, sqlite3, sqlite3_backup, sqlite3_blob, sqlite3_stmt, sqlite3_value>;
/// Owns one: std::unique_ptr and its kin.
template <class T>
concept OwnsOfConnection = OfConnection<typename T::element_type>;
/// Boost's and others' string_view and span, which do not say that they are views: a pointer and a length.
template <class T>
concept LooksLikeView =
    std::ranges::contiguous_range<T> && std::is_trivially_copyable_v<T> && !std::is_aggregate_v<T> &&
    sizeof(T) <= 2 * sizeof(void*);
template <class T>
concept ReferenceLike = std::is_reference_v<T> || std::is_pointer_v<T> || requires {
  requires std::same_as<T, std::reference_wrapper<typename T::type>>;
};
template <class T>
concept Borrowed = ReferenceLike<T> || OfConnection<T> || OwnsOfConnection<T> || std::input_or_output_iterator<T> ||
    std::ranges::view<T> || std::ranges::borrowed_range<T> || LooksLikeView<T>;

/// In the order in which they count.
enum class result_fault : unsigned char { none, borrowed, deferred };

template <class T, int Depth>
struct FaultOfParts;

/// What is wrong with a result, or with what it consists of: in containers, optionals, tuples and the like, not in
/// classes of the user's own.
template <class T, int Depth = 4>
constexpr result_fault fault_of() {
  if constexpr (std::is_void_v<T> || Depth == 0) {
    return result_fault::none;
  } else if constexpr (std::is_reference_v<T>) {
    return result_fault::borrowed;
  } else if constexpr (Deferred<T>) {
    return result_fault::deferred;
  } else if constexpr (Borrowed<T>) {
    return result_fault::borrowed;
  } else {
    return FaultOfParts<std::remove_cv_t<T>, Depth - 1>::value;
  }
}

template <class T, int Depth>
struct FaultOfParts {
  static constexpr auto value = result_fault::none;
};
template <class T, int Depth>
requires requires {
  typename T::value_type;
}
struct FaultOfParts<T, Depth> {
  static constexpr auto value = fault_of<typename T::value_type, Depth>();
};
template <class First, class Second, int Depth>
struct FaultOfParts<std::pair<First, Second>, Depth> : FaultOfParts<std::tuple<First, Second>, Depth> {};
template <class... Parts, int Depth>
struct FaultOfParts<std::variant<Parts...>, Depth> : FaultOfParts<std::tuple<Parts...>, Depth> {};
template <class... Parts, int Depth>
struct FaultOfParts<std::tuple<Parts...>, Depth> {
  static constexpr auto value = std::max({result_fault::none, fault_of<Parts, Depth>()...});
};

template <class Result>
constexpr void check_result() {
  static_assert(
      fault_of<Result>() != result_fault::deferred,
      "the closure returns something that runs later, a coroutine, a future or a function: by then its "
      "transaction is over and its connection somebody else's. Do the work in the closure and return a value, "
      "or await between statements in a transaction from begin()");
  static_assert(
      fault_of<Result>() != result_fault::borrowed,
      "the closure returns something that refers to what it does not own, a reference, pointer or view: it may "
      "belong to the connection, which is somebody else's when the closure has returned. Return a value, such "
      "as std::string or std::vector, or work with the connection between awaits in a transaction from "
      "begin()");
}

template <class F, class View>
using closure_result_t = std::invoke_result_t<std::decay_t<F>&, View&>;

/// GCC 12 destroys some temporaries in a `co_await` expression twice, among them lambdas that capture a non-trivial
/// value. Such a closure must be a named object, passed as an lvalue, or capture by reference.
template <class F>
constexpr void check_closure() {
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ <= 12
  static_assert(std::is_lvalue_reference_v<F> || std::is_trivially_destructible_v<std::remove_cvref_t<F>>,
                "GCC 12 would destroy this temporary closure twice in a co_await expression: name the lambda and pass "
                "it as an lvalue, or capture by reference");
#endif
}

/// Of the verbs, which give a connection to the closure.
template <class F>
constexpr void check_verb_closure() {
  check_closure<F>();
  check_result<closure_result_t<F, Connection>>();
}

}  // namespace detail
}  // namespace statehouse
#pragma GCC visibility pop
