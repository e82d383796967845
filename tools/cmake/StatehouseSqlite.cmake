# SQLite::SQLite3, and SQLiteCpp on top of it. There is one SQLite in a process: two would take each other's locks away,
# since closing a file drops all locks that the process has on it.
if(STATEHOUSE_SQLITE_AMALGAMATION)
  if(BUILD_SHARED_LIBS)
    message(FATAL_ERROR "STATEHOUSE_SQLITE_AMALGAMATION: a shared library would keep this SQLite to itself, and whoever uses "
                        "it would call another one. Build a static library (BUILD_SHARED_LIBS=OFF).")
  elseif(TARGET SQLite::SQLite3 OR TARGET SQLiteCpp)
    message(FATAL_ERROR "STATEHOUSE_SQLITE_AMALGAMATION: this project has found an SQLite or SQLiteCpp already, which would be "
                        "a second one. Add statehouse first: SQLite::SQLite3 is the compiled one then, for everybody.")
  endif()
  include(StatehouseAmalgamation)
endif()

statehouse_find(SQLite::SQLite3 SQLite3 3.40)
statehouse_find(SQLiteCpp SQLiteCpp CONFIG)

get_target_property(kind SQLiteCpp TYPE)
get_target_property(links SQLiteCpp INTERFACE_LINK_LIBRARIES)
get_target_property(compiled SQLite::SQLite3 ALIASED_TARGET)
if(STATEHOUSE_SQLITE_AMALGAMATION AND kind STREQUAL "SHARED_LIBRARY")
  message(FATAL_ERROR "STATEHOUSE_SQLITE_AMALGAMATION: SQLiteCpp is a shared library here, which is linked with the system's "
                      "SQLite, a second one. Have a static SQLiteCpp found (CMAKE_PREFIX_PATH, SQLiteCpp_DIR).")
elseif(NOT "SQLite::SQLite3" IN_LIST links AND NOT "${compiled}" IN_LIST links
       AND NOT "unofficial::sqlite3::sqlite3" IN_LIST links)  # vcpkg's name of the same
  message(FATAL_ERROR "SQLiteCpp brings an SQLite of its own (it links: ${links}), which would be a second one beside "
                      "SQLite::SQLite3. Set SQLITECPP_INTERNAL_SQLITE to OFF before SQLiteCpp is added. For a newer SQLite than "
                      "the system's, set STATEHOUSE_SQLITE_AMALGAMATION.")
endif()
