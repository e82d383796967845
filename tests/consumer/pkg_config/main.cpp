#include <iostream>
#include <statehouse/database_name.hpp>
#include <statehouse/migrator.hpp>
#include <statehouse/sqlite_version.hpp>
#include <statehouse/version.hpp>

int main() { std::cout << STATEHOUSE_VERSION << ' ' << (statehouse::sqlite_version().number >= 3040000) << '\n'; }
