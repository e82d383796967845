# What a database is called in C++. `call` is whose error it is where that is no name of a database.
function(statehouse_identifier call database out)
  if(NOT database MATCHES "^[A-Za-z0-9][A-Za-z0-9._-]*$" OR database MATCHES "\\.\\.")
    message(FATAL_ERROR "${call}: '${database}' is no database name: use letters, digits, '.', '_' and '-'.")
  endif()
  string(REGEX REPLACE "\\.db$" "" identifier "${database}")
  string(REGEX REPLACE "[^A-Za-z0-9]+" "_" identifier "${identifier}")
  string(REGEX REPLACE "^([0-9])" "_\\1" identifier "${identifier}")
  set(keywords
      alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class
      co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype
      default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int
      long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
      reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template
      this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t
      while xor xor_eq)
  if(identifier IN_LIST keywords)
    string(APPEND identifier "_")
  endif()
  set(${out} "${identifier}" PARENT_SCOPE)
endfunction()
