# What the library itself needs. The installed package finds the same again (statehouse-config.cmake.in).
macro(statehouse_find target)  # and the arguments of find_package: a target that the whole project has already is taken
  if(NOT TARGET ${target})
    find_package(${ARGN} REQUIRED)
  endif()
endmacro()
statehouse_find(Boost::headers Boost 1.83 CONFIG COMPONENTS headers)
statehouse_find(spdlog::spdlog spdlog CONFIG)
statehouse_find(re2::re2 re2 MODULE)
statehouse_find(OpenSSL::Crypto OpenSSL COMPONENTS Crypto)
statehouse_find(Threads::Threads Threads)
include(StatehouseSqlite)

# Only for the programs and the suite.
if(STATEHOUSE_BUILD_SERVER OR STATEHOUSE_BUILD_TOOLS OR STATEHOUSE_BUILD_TESTS OR STATEHOUSE_BUILD_BENCH
   OR STATEHOUSE_BUILD_FUZZERS)
  find_package(Boost 1.83 CONFIG REQUIRED COMPONENTS headers json url)
endif()
if(STATEHOUSE_BUILD_SERVER OR STATEHOUSE_BUILD_TOOLS OR STATEHOUSE_BUILD_BENCH)
  find_package(CLI11 CONFIG REQUIRED)
endif()
if(STATEHOUSE_BUILD_TESTS)
  find_package(Catch2 3 CONFIG REQUIRED)
endif()

# Warnings for our own targets, never for those who link the library.
function(statehouse_target_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict)  # false alarms at "text" + string (GCC bug 105651)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)  # takes the .cpp files of a unity build for headers
  endif()
endfunction()
