#include <iostream>
#include <statehouse/connection.hpp>
#include <statehouse/migrations/notes.hpp>
#include <string>

int main() {
  statehouse::Connection db(":memory:");
  statehouse::migrations::notes().run(db);
  db.execute("INSERT INTO note (text) VALUES (?)", "kept");
  std::cout << db.query_one<std::string>("SELECT text FROM note") << '\n';
}
