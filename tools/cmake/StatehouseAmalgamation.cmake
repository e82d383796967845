# SQLite::SQLite3 as a static library of STATEHOUSE_SQLITE_AMALGAMATION, the files sqlite3.c and sqlite3.h. Its symbols are
# hidden, so that libraries which are linked with the system's do not get it for theirs.
set(header "${STATEHOUSE_SQLITE_AMALGAMATION}/sqlite3.h")
if(NOT EXISTS "${header}" OR NOT EXISTS "${STATEHOUSE_SQLITE_AMALGAMATION}/sqlite3.c")
  message(FATAL_ERROR "STATEHOUSE_SQLITE_AMALGAMATION: ${STATEHOUSE_SQLITE_AMALGAMATION} has no sqlite3.c and sqlite3.h.")
endif()
file(STRINGS "${header}" version REGEX "#define SQLITE_VERSION ")
string(REGEX MATCH "[0-9.]+" version "${version}")
message(STATUS "SQLite ${version} is compiled in")

enable_language(C)
add_library(statehouse_sqlite3 STATIC "${STATEHOUSE_SQLITE_AMALGAMATION}/sqlite3.c")
add_library(SQLite::SQLite3 ALIAS statehouse_sqlite3)
target_include_directories(statehouse_sqlite3 SYSTEM INTERFACE "${STATEHOUSE_SQLITE_AMALGAMATION}")
target_link_libraries(statehouse_sqlite3 PUBLIC Threads::Threads ${CMAKE_DL_LIBS} m)
set_target_properties(statehouse_sqlite3 PROPERTIES C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON UNITY_BUILD OFF)
target_compile_options(statehouse_sqlite3 PRIVATE -w -O2)  # as fast as the distributions' in a debug build, too
target_compile_definitions(statehouse_sqlite3 PRIVATE
  # what SQL may ask for, as distributions have it
  SQLITE_ENABLE_COLUMN_METADATA
  SQLITE_ENABLE_DBSTAT_VTAB
  SQLITE_ENABLE_FTS3
  SQLITE_ENABLE_FTS3_PARENTHESIS
  SQLITE_ENABLE_FTS4
  SQLITE_ENABLE_FTS5
  SQLITE_ENABLE_MATH_FUNCTIONS
  SQLITE_ENABLE_RTREE
  SQLITE_LIKE_DOESNT_MATCH_BLOBS
  SQLITE_MAX_VARIABLE_NUMBER=250000
  SQLITE_SECURE_DELETE
  SQLITE_SOUNDEX
  # what servers want: no lock around the counting of memory, waits in parts of a second, one call for a read or write
  SQLITE_DEFAULT_MEMSTATUS=0
  HAVE_FDATASYNC=1
  HAVE_GMTIME_R=1
  HAVE_ISNAN=1
  HAVE_LOCALTIME_R=1
  HAVE_PREAD64=1
  HAVE_PWRITE64=1
  HAVE_USLEEP=1)
