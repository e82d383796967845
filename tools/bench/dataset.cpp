#include "dataset.hpp"

#include "statehouse/connection.hpp"
#include "statehouse/migrations/context.hpp"

namespace statehouse::bench {

std::vector<Key> make_database(const std::filesystem::path& file, std::size_t rows) {
  std::vector<Key> keys;
  for (std::size_t i = 0; i < rows; ++i)
    keys.push_back({"doc-" + std::to_string(i / 100), "block-" + std::to_string(i % 100)});
  Connection connection(file);
  migrations::context().run(connection);
  const std::string value = sample_value();
  connection.savepoint([&] {
    for (const Key& key : keys) connection.execute(write_sql, key.document, key.block, value);
  });
  return keys;
}

}  // namespace statehouse::bench
